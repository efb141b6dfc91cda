"""T networks of a chain as T smaller chains: a dropped unit is a deleted row and column of the weights.

Exact up to float rounding. With p = 0.5 a hidden layer costs a quarter. Where less than half of the first
mask is dropped, the whole first layer runs once for all T, and each network takes away what it dropped,
W (h ⊙ m) = s (W h − W_dropped h_dropped): a share p of the work in place of 1 − p. The scale s = 1/(1−p)
goes into the weights; they are cut once per draw, not once per chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from acquisition.dropout.chains import Stage, WeightLayer
from acquisition.dropout.cuts import Cut, columns_of, cut, dropped_share, outputs_of, scale_of
from acquisition.dropout.layers import Noise, SiteKey
from acquisition.products import linear

BLOCK = 2**19  # numbers of a block of features: two megabytes
LEAST_ROWS = 64  # of a block
MOST_DROPPED = 0.45  # share of dropped units up to which taking them away is less work


class Thinned:
    """The T chains of one draw; what comes before the first weights runs once for all of them."""

    def __init__(self, stages: list[Stage], noise: Mapping[SiteKey, Noise], n_samples: int) -> None:
        self.before = nn.Sequential(*stages[0].before)
        self.whole = _whole(stages[0], noise)
        away = self.whole is not None
        self.chains = [_layers(stages, noise, t, away=away) for t in range(n_samples)]

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        features = self.before(features)
        if features.dim() == 4:
            features = features.contiguous(memory_format=torch.channels_last)
        rows = max(LEAST_ROWS, BLOCK // max(1, features[:1].numel()))
        blocks = [self._block(block) for block in torch.split(features, rows)]
        return (blocks[0] if len(blocks) == 1 else torch.cat(blocks, 2)).transpose(1, 2)

    def _block(self, features: Tensor) -> Tensor:
        """Computes logits_T_C_N of items that T networks find in the cache of a core."""
        whole = None if self.whole is None else self.whole(features)
        return torch.stack([_run(layers, features, whole) for layers in self.chains])


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A weight layer of one network.

    Attributes:
        kind: The layer it was cut from.
        matrix: What is left of its weights, scaled.
        bias: What is left of its bias.
        columns: The inputs to take; None where the layer before made no others.
        rows: The outputs that are left; None where all are.
        relu: Whether a ReLU follows.
        others: What follows then.
        classes_first: Whether to give [C, N], as the layer is the last one.
    """

    kind: WeightLayer
    matrix: Tensor
    bias: Tensor | None
    columns: Tensor | None
    rows: Tensor | None
    relu: bool
    others: tuple[nn.Module, ...]
    classes_first: bool

    def __call__(self, inputs: Tensor, whole: Tensor | None = None) -> Tensor:
        """Runs the layer; with the outputs of the ``whole`` one, from which to take away."""
        taken = inputs if self.columns is None else _taken(inputs, self.columns)
        outputs = self._outputs(taken) if whole is None else self._less(taken, whole)
        for other in self.others:
            outputs = other(outputs)
        return outputs

    def _outputs(self, inputs: Tensor) -> Tensor:
        if isinstance(self.kind, nn.Conv2d):
            return _convolved(self.kind, inputs, self.matrix, self.bias)
        if self.classes_first:
            outputs_C_N = linear(self.matrix, inputs)
            return outputs_C_N if self.bias is None else outputs_C_N.add_(self.bias[:, None])
        return linear(inputs, self.matrix, self.bias, relu=self.relu)

    def _less(self, inputs: Tensor, whole: Tensor) -> Tensor:
        kept = whole if self.rows is None else whole.index_select(1, self.rows)
        outputs = kept - linear(inputs, self.matrix)
        if self.relu:
            outputs.relu_()
        return outputs.T if self.classes_first else outputs


def _taken(inputs: Tensor, columns: Tensor) -> Tensor:
    """Takes some features or channels; images have the channels innermost in memory, and keep them there."""
    if inputs.dim() == 2:
        return inputs.index_select(1, columns)
    return inputs.permute(0, 2, 3, 1).index_select(3, columns).permute(0, 3, 1, 2)


def _run(layers: list[Layer], features: Tensor, whole: Tensor | None) -> Tensor:
    outputs = layers[0](features, whole)
    for layer in layers[1:]:
        outputs = layer(outputs)
    return outputs if layers[-1].classes_first else outputs.T


def _whole(stage: Stage, noise: Mapping[SiteKey, Noise]) -> Callable[[Tensor], Tensor] | None:
    """Returns the first layer with all its units, scaled; None where taking away does not pay."""
    assert stage.site is not None
    factors = noise[stage.site].factor
    if not isinstance(stage.weight, nn.Linear) or dropped_share(factors) > MOST_DROPPED:
        return None
    matrix, bias = stage.weight.weight.detach() * scale_of(factors), stage.weight.bias
    return lambda features: linear(features, matrix, None if bias is None else bias.detach())


def _layers(stages: list[Stage], noise: Mapping[SiteKey, Noise], t: int, *, away: bool) -> list[Layer]:
    """Cuts the layers of network ``t``; of the first one only what is to be taken ``away``."""
    cuts = [None if s.site is None else cut(noise[s.site], t, s.weight, away=False) for s in stages]
    layers: list[Layer] = []
    for number, stage in enumerate(stages):
        following = cuts[number + 1] if number + 1 < len(stages) else None
        inner = following if following and following.size == outputs_of(stage.weight) else None
        own = cuts[number]
        if away and number == 0 and stage.site is not None:
            own = cut(noise[stage.site], t, stage.weight, away=True)
        thin = bool(layers) and layers[-1].rows is not None
        layers.append(_layer(stages, number, own, rows=inner.units if inner else None, thin=thin))
    return layers


def _layer(stages: list[Stage], number: int, own: Cut | None, *, rows: Tensor | None, thin: bool) -> Layer:
    weight, last = stages[number].weight, number + 1 == len(stages)
    others = stages[number].after + (() if last else stages[number + 1].before)
    relu = isinstance(weight, nn.Linear) and bool(others) and type(others[0]) is nn.ReLU
    matrix, bias = weight.weight.detach(), None if weight.bias is None else weight.bias.detach()
    if rows is not None:
        matrix, bias = matrix.index_select(0, rows), None if bias is None else bias.index_select(0, rows)
    columns = None if own is None else columns_of(weight, own)
    if own is not None and columns is not None:
        factors = own.factors.to(matrix.dtype).repeat_interleave(len(columns) // len(own.factors))
        matrix = matrix.index_select(1, columns) * factors.view(1, -1, *[1] * (matrix.dim() - 2))
    if isinstance(weight, nn.Conv2d):
        matrix = matrix.contiguous(memory_format=torch.channels_last)
    return Layer(
        kind=weight,
        matrix=matrix,
        bias=bias,
        columns=None if thin else columns,
        rows=rows,
        relu=relu,
        others=others[1:] if relu else others,
        classes_first=last and not others,
    )


def _convolved(layer: nn.Conv2d, inputs: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    sides, padding = layer._reversed_padding_repeated_twice, 0
    if any(sides):
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        inputs = nn.functional.pad(inputs, sides, mode=mode)
    return nn.functional.conv2d(inputs, matrix, bias, layer.stride, padding, layer.dilation)
