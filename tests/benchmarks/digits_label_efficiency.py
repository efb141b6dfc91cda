"""Label efficiency on scikit-learn's digits: what choosing buys over choosing at random.

    python tests/benchmarks/digits_label_efficiency.py [--seeds 10] [--first-seed 0] [--posteriors NAME …]
[--arms NAME …] [--protocol wide|narrow]

Each seed splits the 1,797 images into test items and a pool, and labels 20 items of the pool at random.
Every arm starts from those 20, adds 10 labels a step, trains anew at each step and is measured by the
accuracy of the posterior's mean prediction. Arms of one seed share split, first labels and seeds of
training, so the difference to random is paired. Area: the mean accuracy over the points of the curve.

``wide``: 600 test items, up to 150 labels, network 64-128-128-10 with dropout 0.5, 100 networks.
``narrow``: 700 test items, up to 130 labels, network 64-64-64-10 with dropout 0.25 (for ``mc_dropout``,
none for others), 50 networks: the protocol for comparing posteriors.
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
from acquisition.catalog import needs

FIRST, STEP = 20, 10
DEFAULT = ["mc_dropout", "ensemble"]


class Protocol(NamedTuple):
    """The sizes of one comparison."""

    test: int
    last: int
    hidden: int
    dropout: float
    samples: int


PROTOCOLS = {"wide": Protocol(600, 150, 128, 0.5, 100), "narrow": Protocol(700, 130, 64, 0.25, 50)}


class Arm(NamedTuple):
    """A way to choose."""

    name: str
    function: str
    selector: str
    options: dict[str, float]


ARMS = {
    "random": Arm("random", "random", "top_k", {}),
    "bald": Arm("BALD, top_k", "bald", "top_k", {}),
    "bald-power-4": Arm("BALD, power β=4", "bald", "power", {"beta": 4.0}),
    "margin": Arm("margin, top_k", "margin", "top_k", {}),
    "entropy": Arm("entropy, top_k", "predictive_entropy", "top_k", {}),
    "bald-power-1": Arm("BALD, power β=1", "bald", "power", {"beta": 1.0}),
    "batch-bald": Arm("BatchBALD", "bald", "batch_bald", {}),
}


class Split(NamedTuple):
    """The items of one seed."""

    pool: Tensor
    pool_targets: Tensor
    test: Tensor
    test_targets: Tensor


def network(protocol: Protocol, posterior: str) -> nn.Module:
    """Makes the classifier: two hidden layers, with dropout where the posterior needs it."""
    width = protocol.hidden
    p = protocol.dropout if posterior == "mc_dropout" or protocol.hidden == 128 else 0.0
    noise = [nn.Dropout(p)] if p else []
    return nn.Sequential(
        nn.Linear(64, width),
        nn.ReLU(),
        *noise,
        nn.Linear(width, width),
        nn.ReLU(),
        *noise,
        nn.Linear(width, 10),
    )


def split(seed: int, protocol: Protocol) -> Split:
    """Shuffles the digits and puts a test set aside."""
    digits = load_digits()
    inputs = torch.tensor(digits.data, dtype=torch.float32) / 16
    targets = torch.tensor(digits.target)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    test, pool = order[: protocol.test], order[protocol.test :]
    return Split(inputs[pool], targets[pool], inputs[test], targets[test])


def curve(posterior_name: str, arm: Arm, seed: int, protocol: Protocol) -> list[float]:
    """Runs one arm; returns the accuracy at each number of labels."""
    data = split(seed, protocol)
    labeled = list(range(FIRST))  # the pool is in random order already
    accuracies: list[float] = []
    while True:
        posterior = acquisition.fit(
            posterior_name,
            lambda: network(protocol, posterior_name),
            (data.pool[labeled], data.pool_targets[labeled]),
            seed=1000 * seed + len(labeled),
        )
        accuracies.append(accuracy(posterior, data, protocol))
        if len(labeled) >= protocol.last:
            return accuracies
        labeled += chosen(posterior, data.pool, labeled, arm, 1000 * seed + len(labeled), protocol)


def accuracy(posterior: acquisition.Posterior, data: Split, protocol: Protocol) -> float:
    """Measures the mean prediction of the networks on the test items."""
    log_probs_T_N_C = acquisition.predict(posterior, data.test, n_samples=protocol.samples)
    predicted = log_probs_T_N_C.exp().mean(0).argmax(-1)
    return (predicted == data.test_targets).float().mean().item()


def chosen(
    posterior: acquisition.Posterior,
    pool: Tensor,
    labeled: list[int],
    arm: Arm,
    seed: int,
    protocol: Protocol,
) -> list[int]:
    """Chooses the next labels out of those that are left."""
    taken = set(labeled)
    left = torch.tensor([row for row in range(len(pool)) if row not in taken])
    chunks = acquisition.score_pool(
        posterior, pool[left], arm.function, n_samples=protocol.samples, seed=seed
    )
    candidates = acquisition.Candidates(scores_N=torch.cat([chunk.scores_N for chunk in chunks]))
    if "log_probs" in needs("selectors", arm.selector):
        log_probs_T_N_C = acquisition.predict(posterior, pool[left], n_samples=protocol.samples, seed=seed)
        candidates = acquisition.Candidates(log_probs_T_N_C=log_probs_T_N_C)
    picked = acquisition.select(arm.selector, candidates, STEP, seed=seed, **arm.options)
    return left[picked.indices].tolist()


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Returns the mean and its standard error."""
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5


def run(posteriors: list[str], arms: list[str], seeds: range, protocol: Protocol) -> None:
    """Runs everything and prints the table row by row."""
    print(
        "| posterior | arm | area ± se | minus random ± se | seeds better "
        f"| at 50 | at 100 | at {protocol.last} labels |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for posterior in posteriors:
        control: list[float] = []
        for name in arms:
            arm = ARMS[name]
            if posterior == "point" and arm.function == "bald":
                arm = arm._replace(name=arm.name.replace("BALD", "entropy"), function="predictive_entropy")
            curves = [curve(posterior, arm, seed, protocol) for seed in seeds]
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
    points = [statistics.mean(c[(labels - FIRST) // STEP] for c in curves) for labels in (50, 100)]
    points.append(statistics.mean(c[-1] for c in curves))
    marks = " | ".join(f"{point:.4f}" for point in points)
    return f"| {posterior} | {arm.name} | {area:.4f} ± {error:.4f} | {paired} | {wins} | {marks} |"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--posteriors", nargs="+", choices=sorted(acquisition.catalog()["posteriors"]), default=DEFAULT
    )
    parser.add_argument(
        "--arms", nargs="+", choices=list(ARMS), default=list(ARMS), help="random comes first"
    )
    parser.add_argument("--protocol", choices=list(PROTOCOLS), default="wide")
    given = parser.parse_args()
    torch.set_num_threads(1)
    started = time.process_time()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    arms = ["random", *(arm for arm in given.arms if arm != "random")]
    run(given.posteriors, arms, seeds, PROTOCOLS[given.protocol])
    print(f"\n{time.process_time() - started:.0f} CPU seconds, one thread.")


if __name__ == "__main__":
    main()
