"""T networks of a chain as T smaller chains: a dropped unit is a deleted row and column of the weights.

Exact up to float rounding. With p = 0.5 a hidden layer costs a quarter. The scale 1/(1−p) goes into the
weights; they are cut once per draw, not once per chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from acquisition.posteriors.chains import Stage, WeightLayer
from acquisition.posteriors.dropout_layers import Noise, SiteKey

Step = Callable[[Tensor], Tensor]


class Thinned:
    """The T chains of one draw; what comes before the first weights runs once for all of them."""

    def __init__(self, stages: list[Stage], noise: Mapping[SiteKey, Noise], n_samples: int) -> None:
        self.shared = nn.Sequential(*stages[0].before)
        self.chains = [_chain(stages, noise, t) for t in range(n_samples)]

    def __call__(self, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        features = self.shared(features)
        return torch.stack([_run(chain, features) for chain in self.chains])


def _run(chain: list[Step], features: Tensor) -> Tensor:
    for step in chain:
        features = step(features)
    return features


def _chain(stages: list[Stage], noise: Mapping[SiteKey, Noise], t: int) -> list[Step]:
    steps: list[Step] = []
    thin: Tensor | None = None  # units left of the layer before, where only those were computed
    for number, stage in enumerate(stages):
        factors = _factors(stage, noise, t)
        rows = _rows(stages, noise, number, t)
        steps += stage.before if number else ()
        steps += _weight_steps(stage.weight, factors, rows, thinned=thin is not None)
        steps += stage.after
        thin = rows
    return steps


def _factors(stage: Stage, noise: Mapping[SiteKey, Noise], t: int) -> Tensor | None:
    """Returns one factor per input of the weight layer; a dropped channel is all of its pixels."""
    if stage.site is None:
        return None
    factors = noise[stage.site].factor[t].flatten()
    inputs = _inputs(stage.weight)
    return factors if len(factors) == inputs else factors.repeat_interleave(inputs // len(factors))


def _rows(stages: list[Stage], noise: Mapping[SiteKey, Noise], number: int, t: int) -> Tensor | None:
    """Returns the outputs of a weight layer that the next mask keeps; None where all are needed."""
    site = stages[number + 1].site if number + 1 < len(stages) else None
    if site is None:
        return None
    factors = noise[site].factor[t].flatten()
    weight = stages[number].weight
    return factors.nonzero().flatten() if len(factors) == _outputs(weight) else None


def _weight_steps(
    weight: WeightLayer, factors: Tensor | None, rows: Tensor | None, *, thinned: bool
) -> list[Step]:
    matrix, bias = weight.weight.detach(), None if weight.bias is None else weight.bias.detach()
    steps: list[Step] = []
    if factors is not None:
        columns = factors.nonzero().flatten()
        scale = factors[columns].to(matrix.dtype)
        matrix = matrix[:, columns] * scale.view(1, -1, *[1] * (matrix.dim() - 2))
        steps += [] if thinned else [lambda inputs: inputs.index_select(1, columns)]
    if rows is not None:
        matrix, bias = matrix[rows], None if bias is None else bias[rows]
    return [*steps, _weighted(weight, matrix.contiguous(), bias)]


def _weighted(weight: WeightLayer, matrix: Tensor, bias: Tensor | None) -> Step:
    if isinstance(weight, nn.Linear):
        return lambda inputs: functional.linear(inputs, matrix, bias)
    return lambda inputs: functional.conv2d(
        _padded(weight, inputs), matrix, bias, weight.stride, 0, weight.dilation
    )


def _padded(weight: nn.Conv2d, inputs: Tensor) -> Tensor:
    sides = weight._reversed_padding_repeated_twice
    if not any(sides):
        return inputs
    mode = "constant" if weight.padding_mode == "zeros" else weight.padding_mode
    return functional.pad(inputs, sides, mode=mode)


def _inputs(weight: WeightLayer) -> int:
    return weight.in_features if isinstance(weight, nn.Linear) else weight.in_channels


def _outputs(weight: WeightLayer) -> int:
    return weight.out_features if isinstance(weight, nn.Linear) else weight.out_channels
