"""Randomness with a seed of its own; the global state of torch, numpy and Python stays as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray


def generator(seed: int) -> torch.Generator:
    """Returns a CPU generator, so that a seed means the same on every device."""
    return torch.Generator().manual_seed(seed)


@contextmanager
def forked(seed: int) -> Iterator[None]:
    """Seeds the global generators inside the block and puts their states back after it.

    For code that can not take a generator: the initialisation of layers, dropout while training.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - put back below
    with torch.random.fork_rng():
        try:
            torch.manual_seed(seed)  # noqa: TID251 - this is the fork of the state
            np.random.seed(seed % 2**32)  # noqa: NPY002, TID251 - likewise
            random.seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def mix(seed: int, counters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes (seed, counter) to 64 random bits (SplitMix64, Steele et al. 2014).

    The value of one counter does not depend on the others: a row keeps its number in any chunk.
    """
    start = _scramble(np.asarray([seed % 2**64], dtype=np.uint64))
    return _scramble(start + counters * np.uint64(0x9E3779B97F4A7C15))


def _scramble(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def derived_seed(seed: int, index: int) -> int:
    """Returns the seed number ``index`` that belongs to ``seed``; 0 ≤ result < 2⁶³."""
    return int(mix(seed, np.asarray([index], dtype=np.uint64))[0] >> np.uint64(1))
