"""How often reports would say that choosing beat random where both arms were drawn at random, on real digits.

The model is ridge regression on 200 random Fourier features, so that hundreds of projects take a minute.
With ``--chosen`` one arm takes the least margins: how often is that shown?
"""

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from workbench.domain.intervals import Z
from workbench.reports.statistics.luck import luck_of, with_luck

LABELS = np.linspace(40, 400, 10, dtype=np.float64)
FEATURES, RIDGE = 200, 0.05
Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def features(rng: np.random.Generator) -> Array:
    """Random Fourier features of the pixels (Rahimi and Recht 2007)."""
    pixels_N_D = load_digits().data / 16
    turn_D_F = rng.standard_normal((pixels_N_D.shape[1], FEATURES)) * 0.5
    return np.asarray(
        np.sqrt(2 / FEATURES) * np.cos(pixels_N_D @ turn_D_F + rng.uniform(0, 2 * np.pi, FEATURES))
    )


def arm(rng: np.random.Generator, x: Array, y: Ints, pool: Ints, test: Ints, *, chosen: bool) -> Array:
    """Which test items the model of each round had right."""
    order = rng.permutation(pool)
    rows = []
    for n in LABELS.astype(int):
        seen = order[:n]
        inner = x[seen].T @ x[seen] + RIDGE * np.eye(FEATURES)
        fitted = np.linalg.solve(inner, x[seen].T @ np.eye(10)[y[seen]])
        rows.append((x[test] @ fitted).argmax(1) == y[test])
        if chosen:
            scores = np.sort(x[order[n:]] @ fitted, axis=1)
            order = np.concatenate([seen, order[n:][np.argsort(scores[:, -1] - scores[:, -2])]])
    return np.array(rows, np.float64)


def main() -> None:
    """Count what would be said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=300)
    parser.add_argument("--test-items", type=int, default=600)
    parser.add_argument("--chosen", action="store_true")
    asked = parser.parse_args()
    rng, y = np.random.default_rng(0), load_digits().target
    x = features(rng)
    weight_R = np.gradient(LABELS)
    weight_R[[0, -1]] /= 2
    weight_R /= weight_R.sum()
    said = {"items alone": 0, "with luck": 0}
    gaps = []
    for _ in range(asked.projects):
        items = rng.permutation(len(y))
        test, pool = items[: asked.test_items], items[asked.test_items :]
        gap_R_N = arm(rng, x, y, pool, test, chosen=asked.chosen) - arm(rng, x, y, pool, test, chosen=False)
        gap_R, covariance_R_R = gap_R_N.mean(1), np.cov(gap_R_N) / asked.test_items
        value, variance = float(weight_R @ gap_R), float(weight_R @ covariance_R_R @ weight_R)
        low, high = with_luck(value, variance, luck_of(LABELS, gap_R, covariance_R_R, weight_R), 0.95)
        said["items alone"] += abs(value) > Z * variance**0.5
        said["with luck"] += low > 0 or high < 0
        gaps.append(value)
    print(f"mean difference {np.mean(gaps):+.4f}, standard deviation {np.std(gaps):.4f}")
    for name, count in said.items():
        print(f"{name}: a difference is shown in {count / asked.projects:.1%} of {asked.projects}")


if __name__ == "__main__":
    main()
