"""Label efficiency on scikit-learn's digits: what choosing by BALD buys over choosing at random.

    python tests/benchmarks/digits_label_efficiency.py [--seeds 10] [--first-seed 0] [--posteriors NAME …]

Each seed splits the 1,797 images into 600 test items and a pool, and labels 20 items of the pool at random.
Every arm starts from those 20, adds 10 labels a step up to 150, trains anew at each step and is measured by
the accuracy of the posterior's mean prediction. Arms of one seed share split, first labels and seeds of
training, so the difference to random is paired. Area: the mean accuracy over the 14 points of the curve.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import acquisition

FIRST, STEP, LAST, TEST = 20, 10, 150, 600
POSTERIORS = ("mc_dropout", "ensemble")


class Arm(NamedTuple):
    """A way to choose."""

    name: str
    function: str
    selector: str
    options: dict[str, float]


ARMS = (
    Arm("random", "random", "top_k", {}),
    Arm("BALD, top_k", "bald", "top_k", {}),
    Arm("BALD, power β=4", "bald", "power", {"beta": 4.0}),
    Arm("margin, top_k", "margin", "top_k", {}),
    Arm("entropy, top_k", "predictive_entropy", "top_k", {}),
    Arm("BALD, power β=1", "bald", "power", {"beta": 1.0}),
)


class Split(NamedTuple):
    """The items of one seed."""

    pool: Tensor
    pool_targets: Tensor
    test: Tensor
    test_targets: Tensor


def network() -> nn.Module:
    """Makes the classifier: two hidden layers with dropout."""
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 10),
    )  # fmt: skip


def split(seed: int) -> Split:
    """Shuffles the digits and puts a test set aside."""
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32) / 16
    targets = torch.tensor(digits.target)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    test, pool = order[:TEST], order[TEST:]
    return Split(inputs[pool], targets[pool], inputs[test], targets[test])


def curve(posterior_name: str, arm: Arm, seed: int) -> list[float]:
    """Runs one arm; returns the accuracy at each number of labels."""
    data = split(seed)
    labeled = list(range(FIRST))  # the pool is in random order already
    accuracies: list[float] = []
    while True:
        posterior = acquisition.fit(
            posterior_name,
            network,
            (data.pool[labeled], data.pool_targets[labeled]),
            seed=1000 * seed + len(labeled),
        )
        accuracies.append(accuracy(posterior, data))
        if len(labeled) >= LAST:
            return accuracies
        labeled += chosen(posterior, data.pool, labeled, arm, seed=1000 * seed + len(labeled))


def accuracy(posterior: acquisition.Posterior, data: Split) -> float:
    """Measures the mean prediction of 100 networks on the test items."""
    log_probs_T_N_C = acquisition.predict(posterior, data.test, n_samples=100)
    predicted = log_probs_T_N_C.exp().mean(0).argmax(-1)
    return (predicted == data.test_targets).float().mean().item()


def chosen(
    posterior: acquisition.Posterior, pool: Tensor, labeled: list[int], arm: Arm, seed: int
) -> list[int]:
    """Chooses the next labels out of those that are left."""
    taken = set(labeled)
    left = torch.tensor([row for row in range(len(pool)) if row not in taken])
    chunks = acquisition.score_pool(posterior, pool[left], arm.function, n_samples=100, seed=seed)
    candidates = acquisition.Candidates(scores_N=torch.cat([chunk.scores_N for chunk in chunks]))
    picked = acquisition.select(arm.selector, candidates, STEP, seed=seed, **arm.options)
    return left[picked.indices].tolist()


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Returns the mean and its standard error."""
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5


def run(posteriors: list[str], seeds: range) -> None:
    """Runs everything and prints the table row by row."""
    print(
        "| posterior | arm | area ± se | minus random ± se | seeds better | at 50 | at 100 | at 150 labels |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for posterior in posteriors:
        control: list[float] = []
        for arm in ARMS:
            curves = [curve(posterior, arm, seed) for seed in seeds]
            areas = [statistics.mean(points) for points in curves]
            control = control or areas
            print(row(posterior, arm, curves, areas, control), flush=True)


def row(posterior: str, arm: Arm, curves: list[list[float]], areas: list[float], control: list[float]) -> str:
    """Writes one arm."""
    area, error = mean_and_error(areas)
    differences = [ours - theirs for ours, theirs in zip(areas, control, strict=True)]
    paired = "–"
    wins = "–"
    if arm.name != "random":
        paired = "{:+.4f} ± {:.4f}".format(*mean_and_error(differences))
        wins = f"{sum(difference > 0 for difference in differences)} of {len(differences)}"
    points = [statistics.mean(c[(labels - FIRST) // STEP] for c in curves) for labels in (50, 100, 150)]
    marks = " | ".join(f"{point:.4f}" for point in points)
    return f"| {posterior} | {arm.name} | {area:.4f} ± {error:.4f} | {paired} | {wins} | {marks} |"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--posteriors", nargs="+", choices=POSTERIORS, default=list(POSTERIORS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    run(given.posteriors, range(given.first_seed, given.first_seed + given.seeds))
    print(f"\n{time.process_time() - started:.0f} CPU seconds, one thread.")


if __name__ == "__main__":
    main()
