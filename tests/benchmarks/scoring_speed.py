"""Speed of BALD scores by MC dropout: this package against baal, in one run, as CPU seconds of one thread.

    python tests/benchmarks/scoring_speed.py [--rounds 5]

baal: ``ModelWrapper.predict_on_dataset`` of the patched model, then ``BALD``; with its defaults except for no
worker processes, and in its best setting (``MCCachingModule``, no replication in memory). Rounds are
interleaved; a ratio is one of medians. Both sides compute T passes with dropout for every item; the
masks differ.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import structlog
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import acquisition


def mlp() -> nn.Module:
    """Makes a head on embeddings."""
    return nn.Sequential(nn.Linear(384, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


def cnn() -> nn.Module:
    """Makes the small network of Gal et al. 2017."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4), nn.ReLU(), nn.Conv2d(32, 32, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(3872, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


CASES: tuple[tuple[str, Callable[[], nn.Module], tuple[int, ...], int, int], ...] = (
    ("MLP 384-256-10", mlp, (384,), 20, 20_000),
    ("MLP 384-256-10", mlp, (384,), 100, 5_000),
    ("CNN of Gal et al., 28×28", cnn, (1, 28, 28), 20, 500),
    ("CNN of Gal et al., 28×28", cnn, (1, 28, 28), 100, 200),
)


def baal_way(model: nn.Module, pool: Tensor, n_samples: int, *, caching: bool) -> Callable[[], object]:
    """Prepares baal's prediction and BALD."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from baal.active.heuristics import BALD
        from baal.bayesian.caching_utils import MCCachingModule
        from baal.bayesian.dropout import patch_module
        from baal.modelwrapper import ModelWrapper, TrainingArgs

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    patched = patch_module(model, inplace=False)
    patched = MCCachingModule(patched) if caching else patched
    settings = TrainingArgs(batch_size=32, use_cuda=False, workers=0, replicate_in_memory=not caching)
    wrapper = ModelWrapper(patched, settings)
    return lambda: BALD().get_ranks(wrapper.predict_on_dataset(TensorDataset(pool), n_samples, verbose=False))


def our_way(model: nn.Module, pool: Tensor, n_samples: int) -> Callable[[], object]:
    """Prepares the stream of scores; masks are drawn anew in each round."""
    return lambda: list(acquisition.score_pool(acquisition.mc_dropout(model), pool, n_samples=n_samples))


def seconds(call: Callable[[], object]) -> float:
    """Measures one call in CPU seconds."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compared(ways: list[Callable[[], object]], rounds: int) -> list[float]:
    """Returns the median CPU seconds of each way, rounds interleaved, one warm-up round."""
    times = [[seconds(way) for way in ways] for _ in range(rounds + 1)][1:]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def main() -> None:
    """Runs all cases and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(
        "| model | T | items | baal, CPU s | baal caching, CPU s | here, CPU s | ratio | ratio to caching |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, factory, shape, n_samples, n_items in CASES:
        model, pool = factory().eval(), torch.randn(n_items, *shape)
        ways = [
            baal_way(model, pool, n_samples, caching=False),
            baal_way(model, pool, n_samples, caching=True),
            our_way(model, pool, n_samples),
        ]
        plain, caching, ours = compared(ways, rounds)
        print(
            f"| {name} | {n_samples} | {n_items:,} | {plain:.3f} | {caching:.3f} | {ours:.4f} "
            f"| {plain / ours:.1f}× | {caching / ours:.1f}× |",
            flush=True,
        )


if __name__ == "__main__":
    main()
