"""A posterior's self-test: do its samples differ, repeat with their seed, and not depend on the batch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.disagreement import Disagreement, refuse_one_sample
from acquisition.errors import InvalidInput
from acquisition.prediction import drawn, predict_with
from acquisition.predictions import Outputs
from acquisition.types import Posterior

EQUAL = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingCheck:
    """What was measured; differences are the largest over all samples, items and outputs.

    Attributes:
        n_samples: Networks of a draw.
        n_different: Different ones among them, on these items.
        n_items: Items predicted.
        disagreement: Between two samples' probabilities; of regression between their outputs, as a share of
            the largest output, like the differences below.
        disagreeing_share: Items on which the samples differ at all.
        repeat_difference: Between two draws of the same seed.
        seed_difference: Between draws of two seeds; None where the samples are a fixed few.
        slice_difference: Between the items at once and in slices of odd sizes.
        duplicate_difference: Between copies of one item in one batch.
    """

    n_samples: int
    n_different: int
    n_items: int
    disagreement: float
    disagreeing_share: float
    repeat_difference: float
    seed_difference: float | None
    slice_difference: float
    duplicate_difference: float


def check_sampling(
    posterior: Posterior, inputs: Tensor, n_samples: int = 8, seed: int = 0, model: nn.Module | None = None
) -> SamplingCheck:
    """Tests that a posterior samples as it should, loudly.

    Args:
        posterior: Any, also one of your own.
        inputs: A few items, one per row; 20 are plenty. Cost: about five predictions of them.
        n_samples: Networks to draw.
        seed: Of the draw; a second one is seed + 1.
        model: A module whose training flags have to stay; modules that the posterior holds are watched too.

    Returns:
        What was measured, where everything is as it should be.

    Raises:
        NotStochastic: All samples are equal: no dropout is called, members are identical, the width is zero.
        InvalidInput: The same seed gives other predictions, another seed the same ones, an item's prediction
            depends on its batch, or the global random state or a training flag was changed; or no items.
    """
    check_count("n_samples", n_samples)
    if not isinstance(inputs, Tensor) or inputs.dim() < 1 or not len(inputs):
        raise InvalidInput("There are no items: a tensor with one item per row is needed.")
    surroundings = _Surroundings(posterior, model)
    draw = drawn(posterior, n_samples, seed)
    refuse_one_sample("bald", draw)
    whole = predict_with(posterior, inputs, draw)
    watch = Disagreement("bald")
    watch.look(whole)
    watch.conclude()
    values = _values(whole)
    found = _measured(posterior, inputs, values, draw_of=draw, seed=seed, n_samples=n_samples)
    _refuse(found)
    surroundings.refuse_changes()
    return found


def _measured(
    posterior: Posterior, inputs: Tensor, values: Tensor, *, draw_of: Any, seed: int, n_samples: int
) -> SamplingCheck:
    again = _values(predict_with(posterior, inputs, drawn(posterior, n_samples, seed)))
    slices = _values(predict_with(posterior, [inputs[i : i + 3] for i in range(0, len(inputs), 3)], draw_of))
    copies = torch.cat([inputs[:1], inputs, inputs[:1].repeat_interleave(5, 0)])
    of_copies = _values(predict_with(posterior, copies, draw_of))
    first = of_copies[:, [0, 1, *range(len(inputs) + 1, len(copies))]]
    limit = posterior.max_samples
    other = None
    if limit is None:
        other = _gap(_values(predict_with(posterior, inputs, drawn(posterior, n_samples, seed + 1))), values)
    return SamplingCheck(
        n_samples=len(values),
        n_different=len(torch.unique(values.flatten(1), dim=0)),
        n_items=len(inputs),
        disagreement=float((values.amax(0) - values.amin(0)).max()),
        disagreeing_share=float((values != values[:1]).flatten(2).any(-1).any(0).double().mean()),
        repeat_difference=_gap(again, values),
        seed_difference=other,
        slice_difference=_gap(slices, values),
        duplicate_difference=_gap(first, first[:, :1]),
    )


def _values(outputs: Outputs) -> Tensor:
    """Returns numbers up to 1, [T, N, …]: probabilities, or means and log variances by their largest."""
    if isinstance(outputs, Tensor):
        return outputs.double().exp().cpu()
    raw = torch.stack(list(outputs), -1).double().cpu()
    return raw / raw.abs().amax().clamp_min(1.0)


def _gap(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())


def _refuse(found: SamplingCheck) -> None:
    faults = []
    if found.repeat_difference > EQUAL:
        faults.append(f"the same seed gives other predictions (by {found.repeat_difference:.2g})")
    if found.seed_difference is not None and found.seed_difference <= 0:
        faults.append("another seed gives the same predictions: the seed is not used")
    if found.slice_difference > EQUAL:
        faults.append(
            f"an item's prediction depends on its batch (by {found.slice_difference:.2g}): noise is drawn "
            "per batch, or batch statistics are in use"
        )
    if found.duplicate_difference > EQUAL:
        faults.append(
            f"copies of an item in one batch are predicted differently "
            f"(by {found.duplicate_difference:.2g}): "
            "noise is drawn per row, not per network"
        )
    if faults:
        raise InvalidInput(f"The posterior does not sample as it should: {'; '.join(faults)}.")


class _Surroundings:
    """The global random states and the training flags as they are now, to compare later."""

    def __init__(self, posterior: Posterior, model: nn.Module | None) -> None:
        watched = [*_held(posterior), *([] if model is None else [model])]
        self._layers = [layer for module in watched for layer in module.modules()]
        self._flags, self._torch, self._others = self._training(), torch.get_rng_state(), _other_states()

    def _training(self) -> list[bool]:
        return [layer.training for layer in self._layers]

    def refuse_changes(self) -> None:
        changed = []
        if not torch.equal(self._torch, torch.get_rng_state()):
            changed.append("torch's global random state")
        if self._others != _other_states():
            changed.append("the global random state of numpy or Python")
        if self._flags != self._training():
            changed.append("the training flags of the model")
        if changed:
            raise InvalidInput(f"Sampling changed {' and '.join(changed)}, which belong to the caller.")


def _other_states() -> tuple[object, ...]:
    of_numpy: Any = np.random.get_state()  # noqa: NPY002 - only looked at
    return of_numpy[1].tobytes(), of_numpy[2], random.getstate()


def _held(posterior: Posterior) -> Iterator[nn.Module]:
    for value in vars(posterior).values() if hasattr(posterior, "__dict__") else ():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, nn.Module):
                yield part
