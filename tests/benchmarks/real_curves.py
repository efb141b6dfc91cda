"""What reports foresee and decide, held against what came on real data: forecasts, the target, chosen items.

Projects are played on the digits of scikit-learn, or on any Parquet file of numbers or texts; the model is
ridge regression on random Fourier features, so that a project takes a second. Each has held-out items, as an
analyst has, and a population of others that tells how right its models truly are.

    python tests/benchmarks/real_curves.py
    python tests/benchmarks/real_curves.py --parquet letters.parquet --label letter
    python tests/benchmarks/real_curves.py --parquet news.parquet --label topic --text body
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

import acquisition
from workbench.domain.intervals import wilson
from workbench.reports.statistics.curves import smoothed
from workbench.reports.statistics.forecast import fit_curve
from workbench.reports.statistics.lure import weigh
from workbench.reports.statistics.overlap import overlap_of

Array = NDArray[Any]
ROUNDS, MOST, SHARP, FEATURES, RIDGE, COMMITTEE = 40, 9000, 6.0, 300, 0.5, 8
#: Rounds that a forecast is made from, and held-out items.
SEEN, ITEMS = (5, 8, 12, 20), (200, 500, 1000)
SELECTORS: dict[str, dict[str, Any]] = {"random": {}, "top_k": {}, "power": {"beta": 4.0}}


class Data(NamedTuple):
    """Items as numbers, and their classes."""

    x_N_D: Array
    y_N: Array


class Played(NamedTuple):
    """A project: labels and hits on the population, round by round, and what LURE said of each batch."""

    labels_R: Array
    right_R_N: Array
    weighed: list[tuple[bool, bool, float]]


def data_of(asked: argparse.Namespace) -> Data:
    """Read items; numbers are brought to one scale, texts to a hundred directions."""
    if asked.parquet is None:
        digits = load_digits()
        x_N_D, y_N = digits.data, digits.target
    else:
        frame = pd.read_parquet(asked.parquet).sample(frac=1, random_state=0)[:MOST]
        y_N = pd.factorize(frame[asked.label])[0]
        x_N_D = _texts(frame[asked.text]) if asked.text else frame.select_dtypes("number").to_numpy(float)
    x_N_D = (x_N_D - x_N_D.mean(0)) / (x_N_D.std(0) + 1e-9)
    return Data(x_N_D / np.sqrt(x_N_D.shape[1]), y_N)


def _texts(column: Any) -> Array:
    words = TfidfVectorizer(min_df=3, sublinear_tf=True, ngram_range=(1, 2)).fit_transform(column)
    return np.asarray(TruncatedSVD(100, random_state=0).fit_transform(words))


def fourier(rng: np.random.Generator, x_N_D: Array) -> Array:
    """Random Fourier features (Rahimi and Recht 2007), beside the numbers themselves."""
    some = [x_N_D[rng.permutation(len(x_N_D))[:200]] for _ in range(2)]
    width = np.median(np.linalg.norm(some[0][:, None] - some[1], axis=2))
    turn_D_F = rng.standard_normal((x_N_D.shape[1], FEATURES)) / (0.7 * width)
    waves_N_F = np.sqrt(2 / FEATURES) * np.cos(x_N_D @ turn_D_F + rng.uniform(0, 2 * np.pi, FEATURES))
    return np.hstack([waves_N_F, 0.7 * x_N_D, np.full((len(x_N_D), 1), 0.3)]).astype(np.float32)


def fitted(x_N_F: Array, onehot_N_C: Array) -> Array:
    """Ridge regression of the classes."""
    return np.linalg.solve(
        x_N_F.T @ x_N_F + RIDGE * np.eye(x_N_F.shape[1], dtype=np.float32), x_N_F.T @ onehot_N_C
    )


def bald(rng: np.random.Generator, x_M_F: Array, onehot_M_C: Array, pool_N_F: Array) -> tuple[Array, Array]:
    """Disagreement of a committee on resampled labels, and what it says of each item."""
    probs = []
    for _ in range(COMMITTEE):
        rows = rng.integers(0, len(x_M_F), len(x_M_F))
        probs.append(
            torch.softmax(torch.as_tensor(SHARP * pool_N_F @ fitted(x_M_F[rows], onehot_M_C[rows])), 1)
        )
    probs_T_N_C = torch.stack(probs).double()
    mean_N_C = probs_T_N_C.mean(0)
    scores = torch.special.entr(mean_N_C).sum(1) - torch.special.entr(probs_T_N_C).sum(2).mean(0)
    return scores.clamp_min(0).numpy(), mean_N_C.argmax(1).numpy()


def play(data: Data, selector: str, batch: int, seed: int) -> Played:
    """Play a project: a batch at random, then as the selector wants."""
    rng = np.random.default_rng(seed)
    x_N_F, onehot_N_C = fourier(rng, data.x_N_D), np.eye(data.y_N.max() + 1, dtype=np.float32)[data.y_N]
    order = rng.permutation(len(data.y_N))
    others, rest = np.split(order, [min(3000, len(order) // 2)])
    labeled, hits, labels, weighed = rest[:0], [], [], []
    for number in range(min(ROUNDS, len(rest) // batch)):
        seen = np.sort(rng.permutation(len(rest))[:2000])
        picks = rng.permutation(len(rest))[:batch]
        if number and selector != "random":
            scores_N, said_N = bald(rng, x_N_F[labeled], onehot_N_C[labeled], x_N_F[rest[seen]])
            given = acquisition.Candidates(scores_N=torch.as_tensor(scores_N))
            chosen = acquisition.select(selector, given, batch, seed=seed + number, **SELECTORS[selector])
            places = chosen.indices.numpy()
            wrong_N = (said_N != data.y_N[rest[seen]]).astype(float)
            picks = seen[places]
            if chosen.proposals is not None:
                found = weigh(wrong_N[places], chosen.proposals.numpy(), len(seen), 0.9)
                assert found is not None
                true = 1 - wrong_N.mean()
                weighed.append((found.shown, found.low <= true <= found.high, found.accuracy - true))
        labeled, rest = np.concatenate([labeled, rest[picks]]), np.delete(rest, picks)
        says = (x_N_F[others] @ fitted(x_N_F[labeled], onehot_N_C[labeled])).argmax(1)
        hits.append(says == data.y_N[others])
        labels.append(len(labeled))
    return Played(np.array(labels, float), np.array(hits), weighed)


def foreseen(rng: np.random.Generator, one: Played, counts: dict[str, list[float]]) -> None:
    """Forecast from some rounds on some held-out items, and see what came by twice the labels."""
    seen = min(int(rng.choice(SEEN)), len(one.labels_R) // 2)
    held = rng.permutation(one.right_R_N.shape[1])[: rng.choice(ITEMS)]
    right_R_N, ahead = one.right_R_N[:, held], 2 * seen - 1
    curves = fit_curve(
        one.labels_R[:seen], right_R_N[:seen].sum(1), [len(held)] * seen, overlap=overlap_of(right_R_N[:seen])
    )
    assert curves is not None
    truth_R = isotonic_regression(smoothed(one.labels_R, one.right_R_N.mean(1)[None])[0]).x
    then = float((curves.at([one.labels_R[ahead]])[:, 0] < truth_R[ahead]).mean())
    came = float((curves.measured_at([one.labels_R[ahead]])[:, 0] < right_R_N[ahead].mean()).mean())
    counts["truth at twice the labels in the 90 % band"].append(0.05 < then < 0.95)
    counts["truth at twice the labels above the middle"].append(then > 0.5)
    counts["measured at twice the labels in the 90 % band"].append(0.05 < came < 0.95)
    target = truth_R[seen - 1] + rng.uniform(0.3, 1) * (truth_R[ahead] - truth_R[seen - 1])
    if target > truth_R[seen - 1] + 0.002:
        levels, first = np.unique(truth_R, return_index=True)
        needed = np.interp(target, levels, one.labels_R[first])
        before = float((curves.reaching(target) < needed).mean())
        counts["labels to the target from P10 to P90"].append(0.1 <= before <= 0.9)
        counts["labels to the target below P10"].append(before < 0.1)


def stopped(rng: np.random.Generator, one: Played, counts: dict[str, list[float]]) -> None:
    """Look after every round whether a target is reached that hardly ever, or never, is."""
    truth_R = one.right_R_N.mean(1)
    for items in ITEMS:
        held = rng.permutation(len(one.right_R_N[0]))[:items]
        low_R = np.array([wilson(int(right), len(held)).low for right in one.right_R_N[:, held].sum(1)])
        for beyond in (0.0, 0.01):
            target = truth_R[-5:].mean() + beyond
            stops = np.flatnonzero(low_R >= target)
            counts[
                f"stopped below a target {100 * beyond:.0f} points above the last rounds, {items} items"
            ].append(bool(len(stops)) and bool(truth_R[stops[0]] < target))


def projects(data: Data, asked: argparse.Namespace) -> Iterator[tuple[str, Played]]:
    """Play all."""
    for seed in range(asked.seeds):
        for selector in SELECTORS:
            yield selector, play(data, selector, asked.batch, 1000 * seed)


def main() -> None:
    """Count what held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parquet")
    parser.add_argument("--label")
    parser.add_argument("--text")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    data, rng, counts = data_of(asked), np.random.default_rng(0), defaultdict[str, list[float]](list)
    for _, one in projects(data, asked):
        foreseen(rng, one, counts)
        stopped(rng, one, counts)
        for shown, inside, bias in one.weighed:
            counts["chosen items, weighed: shown"].append(shown)
            counts["chosen items, weighed: error of the accuracy, all"].append(bias)
            if shown:
                counts["chosen items, weighed: truth in the 90 % interval where shown"].append(inside)
    for name, values in counts.items():
        print(f"{name}: {np.mean(values):.3f} of {len(values)}")


if __name__ == "__main__":
    main()
