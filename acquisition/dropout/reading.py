"""A model read in two parts: what runs once per item, and the layers from the first dropout on."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acquisition.dropout.chains import flat, hooked
from acquisition.dropout.deterministic import deterministic
from acquisition.dropout.layers import Sampling, first_dropout
from acquisition.dropout.patching import not_in_place
from acquisition.dropout.traced import Packed, Unpacked, graph_of, halves_of, line_of
from acquisition.dropout.written import of_torch, own_code
from acquisition.randomness import generator

TOLERANCE = 1e-5


class Reading(NamedTuple):
    """A model in two parts.

    Attributes:
        before: Computes features of items, once.
        after: The layers from the first dropout on.
        pure: Whether those are known to leave the features as they are.
    """

    before: Callable[[Tensor], Tensor]
    after: list[nn.Module]
    pure: bool


def as_written(model: nn.Module) -> Reading:
    """Splits a chain of layers; any other module is one layer."""
    return _split(flat(model), pure=not own_code(model))


def _split(layers: list[nn.Module], *, pure: bool) -> Reading:
    start = first_dropout(layers)
    before, after = nn.Sequential(*layers[:start]), layers[start:]
    any_order = all(of_torch(layer) for part in after for layer in part.modules())
    return Reading(deterministic(before, any_order=any_order), after, pure)


def read(model: nn.Module) -> Reading | None:
    """Reads a model through its graph; None where its code can not be followed or nothing would be won."""
    graph = graph_of(model)
    if graph is None:
        return None
    pure = not any(hooked(layer) or getattr(layer, "inplace", False) for layer in model.modules())
    line = line_of(model, graph)
    if line is not None:
        layers = [layer for part in line for layer in flat(part)]
        not_in_place(m for layer in layers for m in layer.modules())
        return _split(layers, pure=pure)
    halves = halves_of(model, graph)
    if halves is None:
        return None
    packed = Packed(halves.before)
    return Reading(deterministic(packed), [Unpacked(halves.after, packed)], pure=pure)


def agrees(model: nn.Module, sampling: Sampling, reading: Reading, items: Tensor) -> bool:
    """Whether a reading puts out what the model does for some items, and meets the same dropouts.

    Numbers drawn at random are tried too: items of zeros or without a sign would not show what was written
    over in between.
    """
    tried = [items]
    if items.is_floating_point():
        tried.append(torch.randn(items.shape, generator=generator(0)).to(items))
    return all(_agrees(model, sampling, reading, some) for some in tried)


def _agrees(model: nn.Module, sampling: Sampling, reading: Reading, items: Tensor) -> bool:
    complaints = io.StringIO()  # fx prints a traceback before it raises
    try:
        with (
            torch.inference_mode(),
            redirect_stderr(complaints),
            torch.autocast(items.device.type, enabled=False),
        ):
            with sampling.recording(len(items)) as sites:
                expected = model(items.clone())
            with sampling.recording(len(items)) as found_sites:
                features = reading.before(items.clone())
                found = nn.Sequential(*reading.after)(features)
            by_item = [len(features), len(reading.before(items[:1].clone()))] == [len(items), 1]
    except Exception:  # noqa: BLE001 - whatever the reading can not do, the model itself is there
        return False
    return by_item and _equal(expected, found) and sites == found_sites and list(sites) == list(found_sites)


def _equal(expected: object, found: object) -> bool:
    if not isinstance(expected, Tensor) or not isinstance(found, Tensor):
        return False
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    largest = expected.abs().max() if expected.numel() else torch.zeros(())
    return bool(((expected - found).abs() <= TOLERANCE * (1 + largest)).all())
