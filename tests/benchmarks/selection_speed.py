"""Speed and memory of the selectors on features, beside a plain dense form where there is one.

    python tests/benchmarks/selection_speed.py [--items 20000] [--batch 100] [--only core_set badge …]

Features of 384 numbers in 100 clusters, 10 classes, 10 samples; scores are random. Each run has a process of
its own and one thread; a row is CPU seconds and by how much the peak of the process's memory rose. The dense
forms are written below: they build the table of the textbook formula (all pairs, all gradients) and look at
every candidate in every step. "same" counts how many of the batch both chose; BADGE draws, so its batches
differ.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor

import acquisition
from acquisition import Candidates
from acquisition.randomness import generator

N_FEATURES, N_CLASSES, N_SAMPLES, N_CLUSTERS = 384, 10, 10, 100
ASKED = {
    "top_k": {},
    "kmeans": {},
    "core_set": {},
    "badge": {},
    "bait": {},
    "typiclust": {},
    "prob_cover": {"radius": 24.0},
    "max_herding": {"bandwidth": 24.0},
    "drop_query": {},
    "cluster_quota": {},
    "group_quota": {},
    "distinct": {},
}


class Measured(NamedTuple):
    """One run."""

    seconds: float
    mebibytes: float
    rows: list[int]


def pool(n_items: int) -> Candidates:
    """Makes candidates with everything that a selector may ask for."""
    draws = generator(0)
    owners_N = torch.randint(N_CLUSTERS, (n_items,), generator=draws)
    features_N_D = torch.randn(N_CLUSTERS, N_FEATURES, generator=draws)[owners_N]
    features_N_D += torch.randn(n_items, N_FEATURES, generator=draws)
    layers = torch.randn(N_FEATURES, N_SAMPLES, N_CLASSES, generator=draws) / N_FEATURES**0.5
    logits_T_N_C = torch.einsum("nd,dtc->tnc", features_N_D, layers)
    return Candidates(
        scores_N=torch.rand(n_items, generator=draws),
        log_probs_T_N_C=(2 * logits_T_N_C).log_softmax(-1),
        features_N_D=features_N_D,
        groups_N=owners_N % N_CLASSES,
    )


def dense_core_set(given: Candidates, batch_size: int) -> list[int]:
    """Chooses from the table of all pairs."""
    x = given.features_N_D
    pairs_N_N = torch.cdist(x, x)
    chosen = [int((x - x.mean(0)).norm(dim=1).argmin())]
    nearest_N = pairs_N_N[chosen[0]]
    while len(chosen) < batch_size:
        chosen.append(int(nearest_N.argmax()))
        nearest_N = torch.minimum(nearest_N, pairs_N_N[chosen[-1]])
    return chosen


def dense_badge(given: Candidates, batch_size: int) -> list[int]:
    """Draws from the table of all gradients."""
    probs_N_C = given.log_probs_T_N_C.exp().mean(0)
    errors_N_C = probs_N_C - torch.nn.functional.one_hot(probs_N_C.argmax(1), N_CLASSES)
    gradients_N_K = (errors_N_C[:, :, None] * given.features_N_D[:, None]).flatten(1)
    chosen = [int(gradients_N_K.norm(dim=1).argmax())]
    nearest_N = torch.full((len(gradients_N_K),), torch.inf)
    draws = generator(0)
    while len(chosen) < batch_size:
        nearest_N = torch.minimum(nearest_N, (gradients_N_K - gradients_N_K[chosen[-1]]).square().sum(1))
        chosen.append(int(torch.multinomial(nearest_N, 1, generator=draws)))
    return chosen


def dense_prob_cover(given: Candidates, batch_size: int) -> list[int]:
    """Covers with the table of all pairs."""
    inside_N_N = torch.cdist(given.features_N_D, given.features_N_D) < ASKED["prob_cover"]["radius"]
    open_N, chosen = torch.ones(len(inside_N_N), dtype=torch.bool), []
    for _ in range(batch_size):
        counts_N = (inside_N_N & open_N).sum(1)
        counts_N[chosen] = -1
        chosen.append(int(counts_N.argmax()))
        open_N[inside_N_N[chosen[-1]]] = False
    return chosen


def dense_max_herding(given: Candidates, batch_size: int) -> list[int]:
    """Covers with the kernel of all pairs."""
    x = given.features_N_D
    kernel_N_N = torch.cdist(x, x).square_().mul_(-0.5 / ASKED["max_herding"]["bandwidth"] ** 2).exp_()
    covered_N, chosen = torch.zeros(len(x)), []
    for _ in range(batch_size):
        rises_N = torch.cat([(rows - covered_N).clamp_min(0).mean(1) for rows in kernel_N_N.split(500)])
        rises_N[chosen] = -1
        chosen.append(int(rises_N.argmax()))
        covered_N = torch.maximum(covered_N, kernel_N_N[chosen[-1]])
    return chosen


def dense_distinct(given: Candidates, batch_size: int) -> list[int]:
    """Goes down the scores with the table of all cosines."""
    unit = torch.nn.functional.normalize(given.features_N_D)
    alike_N_N, chosen = unit @ unit.T >= 0.95, []
    for row in given.scores_N.argsort(descending=True).tolist():
        if len(chosen) < batch_size and not bool(alike_N_N[row, chosen].any()):
            chosen.append(row)
    return chosen


DENSE: dict[str, Callable[[Candidates, int], list[int]]] = {
    "core_set": dense_core_set,
    "badge": dense_badge,
    "prob_cover": dense_prob_cover,
    "max_herding": dense_max_herding,
    "distinct": dense_distinct,
}


def measure(name: str, n_items: int, batch_size: int, *, dense: bool) -> Measured:
    """Runs one choice in this process; a small one goes first, so that imports are not counted."""
    torch.set_num_threads(1)
    choose = DENSE[name] if dense else (lambda given, k: _chosen(name, given, k))
    choose(pool(200), 2)
    given = pool(n_items)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    rows = choose(given, batch_size)
    seconds = time.process_time() - started
    return Measured(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, rows)


def _chosen(name: str, given: Candidates, batch_size: int) -> list[int]:
    indices: Tensor = acquisition.select(name, given, batch_size, seed=0, **ASKED[name]).indices
    return indices.tolist()


def measured(name: str, n_items: int, batch_size: int, *, dense: bool) -> Measured:
    """Runs one choice in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(measure, name, n_items, batch_size, dense=dense).result()


def main() -> None:
    """Runs all selectors and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=list(ASKED), choices=list(ASKED))
    asked = parser.parse_args()
    print(f"{asked.items:,} items, batch of {asked.batch}\n")
    print("| selector | CPU s | MiB | dense form, CPU s | MiB | same |\n|---|---|---|---|---|---|")
    for name in asked.only:
        ours = measured(name, asked.items, asked.batch, dense=False)
        beside = "– | – | –"
        if name in DENSE:
            theirs = measured(name, asked.items, asked.batch, dense=True)
            same = len({*ours.rows} & {*theirs.rows})
            beside = f"{theirs.seconds:.2f} | {theirs.mebibytes:.0f} | {same}"
        print(f"| {name} | {ours.seconds:.2f} | {ours.mebibytes:.0f} | {beside} |", flush=True)


if __name__ == "__main__":
    main()
