"""Quality of every posterior of the catalog on scikit-learn's digits, with its default options.

    python tests/benchmarks/digits_posteriors.py [--seeds 4] [--samples 100] [--posteriors NAME …]

Each seed splits the 1,797 images into 300 to train on and 1,497 to test. Network: 64-128-128-10, dropout
p = 0.25 for ``mc_dropout`` only; ``point`` has entropy as its only score.
Printed are means over the seeds with their standard deviations; the seeds share one data set.

- ECE: top-class confidence, 15 bins of equal width. AURC: mean error over all coverages, surest first.
- OOD: area under the ROC of test images against the same with shuffled pixels (perm), against uniform noise
  (noise), by the better of predictive entropy and mutual information; and against the digits 7, 8 and 9 by
  mutual information, of a posterior trained on the training images of 0 to 6 only (cls).
- Seconds are CPU seconds of one thread; scoring: 1,497 items by all samples.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import acquisition
from acquisition import diagnostics
from acquisition.diagnostics import ood_auroc
from acquisition.numerics import entropy
from acquisition.predictions import Predictions

TRAIN, KNOWN = 300, 7
METRICS = ("acc", "NLL", "ECE", "Brier", "AURC", "perm", "noise", "cls MI", "train s", "score s")


def network(dropout: float = 0.0) -> nn.Module:
    """Makes the classifier; one without dropout has no dropout layers."""
    noise = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), *noise, nn.Linear(128, 128), nn.ReLU(), *noise, nn.Linear(128, 10)
    )


#: Where a posterior needs another network than the plain one.
NETWORKS: dict[str, Callable[[], nn.Module]] = {"mc_dropout": lambda: network(0.25)}
#: Where the defaults are not what is to be measured.
OPTIONS: dict[str, dict[str, Any]] = {}


class Split(NamedTuple):
    """The items of one seed."""

    train: Tensor
    train_targets: Tensor
    test: Tensor
    test_targets: Tensor


def split(seed: int) -> Split:
    """Shuffles the digits and takes the first 300 for training."""
    digits = load_digits()
    inputs, targets = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed))
    train, test = order[:TRAIN], order[TRAIN:]
    return Split(inputs[train], targets[train], inputs[test], targets[test])


class Fitted(NamedTuple):
    """A way to predict log_probs_T_N_C, and what it cost."""

    predict: Callable[[Tensor], Tensor]
    seconds: float


def fitted(name: str, data: tuple[Tensor, Tensor], seed: int, samples: int) -> Fitted:
    """Trains a posterior."""
    started = time.process_time()
    factory = NETWORKS.get(name, network)
    posterior = acquisition.fit(name, factory, data, seed=seed, **OPTIONS.get(name, {}))
    seconds = time.process_time() - started
    return Fitted(lambda x: acquisition.predict(posterior, x, n_samples=samples, seed=seed), seconds)


def scores(log_probs_T_N_C: Tensor) -> tuple[Tensor, Tensor]:
    """Returns predictive entropy and mutual information."""
    found = Predictions(log_probs_T_N_C.double(), torch.arange(log_probs_T_N_C.shape[1]))
    return entropy(found.mean_probs_N_C), found.mutual_information_N


def strange(test: Tensor, seed: int) -> dict[str, Tensor]:
    """Makes what is no digit: shuffled pixels (each image by itself) and uniform noise."""
    generator = torch.Generator().manual_seed(seed + 1000)
    order = torch.rand(test.shape, generator=generator).argsort(-1)
    return {"perm": test.gather(1, order), "noise": torch.rand(test.shape, generator=generator)}


def held_out_classes(name: str, data: Split, seed: int, samples: int) -> float:
    """Trains without the digits 7 to 9 and looks how well mutual information finds them."""
    known = data.train_targets < KNOWN
    found = fitted(name, (data.train[known], data.train_targets[known]), seed, samples)
    information_N = scores(found.predict(data.test))[1]
    return ood_auroc(information_N[data.test_targets < KNOWN], information_N[data.test_targets >= KNOWN])


def measured(name: str, seed: int, samples: int) -> dict[str, float]:
    """Measures one posterior on one split."""
    data = split(seed)
    found = fitted(name, (data.train, data.train_targets), seed, samples)
    started = time.process_time()
    log_probs_T_N_C = found.predict(data.test)
    seconds = time.process_time() - started
    targets = data.test_targets
    inside = scores(log_probs_T_N_C)
    outside = {k: scores(found.predict(x)) for k, x in strange(data.test, seed).items()}
    far = {k: max(ood_auroc(a, b) for a, b in zip(inside, pair, strict=True)) for k, pair in outside.items()}
    return far | {
        "acc": diagnostics.accuracy(log_probs_T_N_C, targets),
        "NLL": diagnostics.negative_log_likelihood(log_probs_T_N_C, targets),
        "ECE": diagnostics.expected_calibration_error(log_probs_T_N_C, targets),
        "Brier": diagnostics.brier_score(log_probs_T_N_C, targets),
        "AURC": diagnostics.risk_coverage(log_probs_T_N_C, targets).area,
        "cls MI": float("nan") if name == "point" else held_out_classes(name, data, seed, samples),
        "train s": found.seconds,
        "score s": seconds,
    }


def row(name: str, results: list[dict[str, float]]) -> str:
    """Writes one line of the table: mean (standard deviation)."""
    cells = []
    for metric in METRICS:
        values = [result[metric] for result in results]
        spread = f" ({statistics.stdev(values):.4f})" if metric in METRICS[:5] and len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.4f}{spread}" if spread else f"{statistics.mean(values):.3f}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--posteriors", nargs="+", default=list(acquisition.catalog()["posteriors"]))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| posterior | {' | '.join(METRICS)} |\n|{'---|' * (len(METRICS) + 1)}")
    for name in arguments.posteriors:
        found = [measured(name, seed, arguments.samples) for seed in range(arguments.seeds)]
        print(row(name, found), flush=True)


if __name__ == "__main__":
    main()
