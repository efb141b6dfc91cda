"""T networks of a chain whose only layer after the dropout is Linear: one matrix product for all T.

Formula: logits[t] = W (h ⊙ m_t) + b = (W scaled by m_t column-wise) h + b; the T scaled matrices one below
the other are one (T·C) × D matrix. Memory of the weights: 4·T·C·D bytes.
"""

from __future__ import annotations

from torch import Tensor, nn

from acquisition.dropout.chains import Stage
from acquisition.dropout.layers import Noise
from acquisition.products import linear


class OneProduct:
    """The T networks of one draw."""

    def __init__(self, stage: Stage, noise: Noise) -> None:
        assert isinstance(stage.weight, nn.Linear)
        self.shared = nn.Sequential(*stage.before)
        self.n_samples = len(noise.factor)
        self.weights_TC_D, self.bias_TC_1 = _stacked(stage.weight, noise.factor.flatten(1))

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C; in memory the items are innermost, as the softmax wants them."""
        outputs_TC_N = linear(self.weights_TC_D, self.shared(features)).add_(self.bias_TC_1)
        return outputs_TC_N.view(self.n_samples, -1, len(features)).transpose(1, 2)


def _stacked(layer: nn.Linear, factors_T_U: Tensor) -> tuple[Tensor, Tensor]:
    weight_C_D = layer.weight.detach()
    factors_T_D = factors_T_U.repeat_interleave(layer.in_features // factors_T_U.shape[1], dim=1)
    stacked_T_C_D = factors_T_D.to(weight_C_D.dtype)[:, None] * weight_C_D
    bias_C = weight_C_D.new_zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
    return stacked_T_C_D.flatten(0, 1), bias_C.repeat(len(factors_T_D))[:, None]
