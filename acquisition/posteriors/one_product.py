"""T networks of a chain whose only layer after the dropout is Linear: one matrix product for all T.

Formula: logits[t] = (h ⊙ m_t) Wᵀ + b = h (Wᵀ scaled by m_t row-wise) + b; the T scaled matrices side by
side are one D × (T·C) matrix. Memory of the weights: 4·T·C·D bytes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acquisition.posteriors.chains import Stage
from acquisition.posteriors.dropout_layers import Noise


class OneProduct:
    """The T networks of one draw."""

    def __init__(self, stage: Stage, noise: Noise) -> None:
        assert isinstance(stage.weight, nn.Linear)
        self.shared = nn.Sequential(*stage.before)
        self.n_samples = len(noise.factor)
        self.weights_D_TC, self.bias_TC = _stacked(stage.weight, noise.factor.flatten(1))

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        outputs_N_TC = torch.addmm(self.bias_TC, self.shared(features), self.weights_D_TC)
        return outputs_N_TC.view(len(features), self.n_samples, -1).transpose(0, 1)


def _stacked(layer: nn.Linear, factors_T_U: Tensor) -> tuple[Tensor, Tensor]:
    weight_D_C = layer.weight.detach().T
    factors_T_D = factors_T_U.repeat_interleave(len(weight_D_C) // factors_T_U.shape[1], dim=1)
    stacked_T_D_C = factors_T_D.to(weight_D_C.dtype)[:, :, None] * weight_D_C
    bias_C = weight_D_C.new_zeros(weight_D_C.shape[1]) if layer.bias is None else layer.bias.detach()
    return stacked_T_D_C.permute(1, 0, 2).flatten(1).contiguous(), bias_C.repeat(len(factors_T_D))
