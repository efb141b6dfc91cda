"""How many of a pool's hundred best items are found in the time that baal needs for T = 20.

    python tests/benchmarks/racing_recall.py [--seeds 3]

A head with two dropouts, trained on 300 of 40 clusters in 384 dimensions (ten classes), scores 5,000 items.
The truth is the top hundred of BALD by 2,000 networks of another seed. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
import torch
from scoring_cases import deep_mlp
from scoring_speed import baal_way, seconds
from torch import Tensor

import acquisition

KEEP = 100
WAYS = (
    ("rank, T = 20", {"n_samples": 20}),
    ("rank, T = 100", {"n_samples": 100}),
    ("rank, T = 500", {"n_samples": 500}),
    ("race, 20 then 500, 10 per winner", {"n_samples": 500, "first": 20, "contenders": 10}),
    ("race, 50 then 1000, 5 per winner", {"n_samples": 1000, "first": 50, "contenders": 5}),
    ("race, 50 then 2000, 10 per winner", {"n_samples": 2000, "first": 50, "contenders": 10}),
    ("race, 100 then 2000, 6 per winner", {"n_samples": 2000, "first": 100, "contenders": 6}),
)


def clusters(n_items: int, seed: int) -> tuple[Tensor, Tensor]:
    """Makes items of 40 clusters in ten classes."""
    centres = 0.35 * np.random.default_rng(123).standard_normal((40, 384), dtype=np.float32)
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, 40, n_items)
    items = centres[rows] + generator.standard_normal((n_items, 384), dtype=np.float32)
    return torch.from_numpy(items), torch.from_numpy(rows % 10)


def main() -> None:
    """Prints recall and time of each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    posterior = acquisition.fit("mc_dropout", deep_mlp, clusters(300, 99), seed=0)
    pool = clusters(5_000, 1)[0]
    truth = acquisition.rank_pool(posterior, pool, n_samples=2000, keep=KEEP, seed=77).indices
    model = deep_mlp()
    model.load_state_dict(posterior.state())
    way = baal_way(model.eval(), pool, 20, caching=False)
    baal = statistics.median(seconds(way) for _ in seeds)
    ranks = way()[0]  # type: ignore[index]
    print(f"| way | recall | estimate | CPU s | share of baal's time |\n{'|---' * 5}|")
    print(f"| baal, T = 20 | {_recall(truth, torch.tensor(ranks[:KEEP].copy())):.2f} | | {baal:.2f} | 100% |")
    for name, options in WAYS:
        found, spent = _measured(posterior, pool, truth, seeds, options)
        recall, estimate = (statistics.mean(column) for column in zip(*found, strict=True))
        told = f"{estimate:.2f}" if "first" in options else ""
        time = statistics.median(spent)
        print(f"| {name} | {recall:.2f} | {told} | {time:.2f} | {time / baal:.0%} |", flush=True)


def _measured(
    posterior: acquisition.Posterior, pool: Tensor, truth: Tensor, seeds: range, options: dict[str, int]
) -> tuple[list[tuple[float, float]], list[float]]:
    found: list[tuple[float, float]] = []
    spent = [seconds(lambda s=s: found.append(_found(posterior, pool, truth, s, options))) for s in seeds]
    return found, spent


def _found(
    posterior: acquisition.Posterior, pool: Tensor, truth: Tensor, seed: int, options: dict[str, int]
) -> tuple[float, float]:
    way: Callable[..., object] = acquisition.race_pool if "first" in options else acquisition.rank_pool
    found = way(posterior, pool, keep=KEEP, seed=seed, **options)
    ranked = found.ranked if isinstance(found, acquisition.RacedPool) else found
    estimate = found.recall if isinstance(found, acquisition.RacedPool) else 1.0
    return _recall(truth, ranked.indices), estimate  # type: ignore[attr-defined]


def _recall(truth: Tensor, found: Tensor) -> float:
    return len({*truth.tolist()} & {*found.tolist()}) / len(truth)


if __name__ == "__main__":
    main()
