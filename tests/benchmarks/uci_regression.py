"""The UCI regression table of Gal and Ghahramani 2016, run again: MC dropout against the published figures.

    python tests/benchmarks/uci_regression.py [--datasets yacht,concrete,energy,power-plant] [--splits 20]

Protocol of their experiments (https://arxiv.org/abs/1506.02142, the re-run of their repository): one hidden
layer of 50 units, dropout before both layers, inputs and targets scaled by the training split, Adam with
rate 1e-3, batches of 128, 4,000 epochs; dropout rate and noise precision τ from their grid, chosen by
log-likelihood on a fifth of the training rows, here once per data set, on its first split, instead of per
split. RMSE of the mean of T networks; test log-likelihood of the mixture of T Gaussians. Means over the
splits, ± one standard error, beside the published grid-search columns. The data lie beside the project;
without them it stops.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import acquisition
from acquisition.heads import Homoscedastic

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_regression"
RATES = (0.005, 0.01, 0.05, 0.1)
TAUS = {
    "yacht": (0.25, 0.5, 0.75),
    "concrete": (0.025, 0.05, 0.075),
    "energy": (0.25, 0.5, 0.75),
    "power-plant": (0.05, 0.1, 0.15),
    "bostonHousing": (0.1, 0.15, 0.2),
    "wine-quality-red": (2.5, 3.0, 3.5),
    "kin8nm": (150.0, 200.0, 250.0),
}
PUBLISHED = {
    "yacht": "Yacht Hydrodynamics",
    "concrete": "Concrete Strength",
    "energy": "Energy Efficiency",
    "power-plant": "Power Plant",
    "bostonHousing": "Boston Housing",
    "wine-quality-red": "Wine Quality Red",
    "kin8nm": "Kin8nm",
}
EPOCHS = 4000
SAMPLES = 2000


class Setting(NamedTuple):
    """What the grid search chooses."""

    rate: float
    tau: float


class Scaled(NamedTuple):
    """A training split in units of its own standard deviations."""

    inputs: Tensor
    targets: Tensor
    shift: float
    scale: float


class Result(NamedTuple):
    """What one split gave."""

    rmse: float
    log_likelihood: float


def scaled(x: NDArray[np.float64], y: NDArray[np.float64], train: NDArray[np.int32]) -> tuple[Tensor, Scaled]:
    """Scales all inputs and the training targets."""
    mean, spread = x[train].mean(0), x[train].std(0)
    spread[spread == 0] = 1
    everything = torch.from_numpy((x - mean) / spread).float()
    shift, scale = float(y[train].mean()), float(y[train].std())
    targets = torch.from_numpy((y[train] - shift) / scale).float()
    return everything, Scaled(everything[torch.from_numpy(train).long()], targets, shift, scale)


def fitted(data: Scaled, rate: float, tau: float, epochs: int, seed: int) -> acquisition.Posterior:
    """Trains the network; the noise is that of τ, in the units of the scaled targets."""
    width = data.inputs.shape[1]

    def network() -> nn.Module:
        noise = 1 / (tau * data.scale**2)
        return nn.Sequential(
            nn.Dropout(rate), nn.Linear(width, 50), nn.ReLU(), nn.Dropout(rate), Homoscedastic(50, noise)
        )

    return acquisition.fit(
        "mc_dropout",
        network,
        (data.inputs, data.targets),
        seed=seed,
        epochs=epochs,
        batch_size=128,
        learning_rate=1e-3,
        weight_decay=0.0,
    )


def measured(
    posterior: acquisition.Posterior, inputs: Tensor, y: NDArray[np.float64], data: Scaled, tau: float
) -> Result:
    """Computes error and log-likelihood in the units of the data."""
    found = acquisition.predict(posterior, inputs, n_samples=SAMPLES)
    assert isinstance(found, acquisition.Gaussians)
    means_T_N = found.means_T_N.double() * data.scale + data.shift
    truth_N = torch.from_numpy(y)
    rmse = (means_T_N.mean(0) - truth_N).square().mean().sqrt()
    exponents_T_N = -0.5 * tau * (means_T_N - truth_N) ** 2
    likely_N = exponents_T_N.logsumexp(0) - math.log(SAMPLES) - 0.5 * math.log(2 * math.pi / tau)
    return Result(float(rmse), float(likely_N.mean()))


def chosen(
    name: str, x: NDArray[np.float64], y: NDArray[np.float64], train: NDArray[np.int32], epochs: int
) -> Setting:
    """Searches the grid on a fifth of the training rows; training is the same for all τ."""
    order = np.random.default_rng(0).permutation(train)
    held, kept = order[: len(order) // 5], order[len(order) // 5 :]
    everything, data = scaled(x, y, kept)
    inputs, found = everything[torch.from_numpy(held).long()], {}
    for rate in RATES:
        posterior = fitted(data, rate, TAUS[name][1], epochs, seed=0)
        for tau in TAUS[name]:
            found[Setting(rate, tau)] = measured(posterior, inputs, y[held], data, tau).log_likelihood
    return max(found, key=lambda setting: found[setting])


def published(name: str) -> dict[str, tuple[float, float]]:
    """Reads the published mean and standard error of each metric."""
    with (DATA / "published_tables.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if PUBLISHED[name] in row["dataset"]]
    grid = {row["column"]: (float(row["mean"]), float(row["stderr"])) for row in rows}
    return {"RMSE": grid["Grid Search RMSE (new)"], "LL": grid["Grid Search LL (new)"]}


def main() -> None:
    """Runs the data sets and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--datasets", default="yacht,concrete,energy,power-plant")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The UCI data are not at {DATA}.")
    torch.set_num_threads(1)
    print("| data set | rows | rate | τ | RMSE here | RMSE published | LL here | LL published | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.datasets.split(","):
        report(name, options.splits, options.epochs)


def report(name: str, splits: int, epochs: int) -> None:
    """Runs one data set and prints its row."""
    held = np.load(DATA / f"{name}.npz")
    x, y = held["x"], held["y"]
    started = time.process_time()
    setting = chosen(name, x, y, held["train_0"], epochs)
    results = []
    for split in range(splits):
        everything, data = scaled(x, y, held[f"train_{split}"])
        test = held[f"test_{split}"]
        posterior = fitted(data, setting.rate, setting.tau, epochs, seed=split)
        inputs = everything[torch.from_numpy(test).long()]
        results.append(measured(posterior, inputs, y[test], data, setting.tau))
    spent = time.process_time() - started
    figures = np.array(results)
    mean, error = figures.mean(0), figures.std(0, ddof=1) / math.sqrt(len(figures))
    known = published(name)
    print(
        f"| {name} | {len(x):,} | {setting.rate} | {setting.tau} "
        f"| {mean[0]:.3f} ± {error[0]:.3f} | {known['RMSE'][0]:.2f} ± {known['RMSE'][1]:.2f} "
        f"| {mean[1]:.3f} ± {error[1]:.3f} | {known['LL'][0]:.2f} ± {known['LL'][1]:.2f} | {spent:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
