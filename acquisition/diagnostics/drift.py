"""Are incoming items predicted, or embedded, as the ones before them were: permutation tests for drift.

Energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'|, zero only where the distributions are equal; of
predictions also the Jensen-Shannon divergence of the two mean predictions, in nats, 0 to ln 2. Items change
sides at random to see what no drift looks like, so a false alarm comes with a chance of at most ``alpha``.
Sources: Székely and Rizzo 2013, https://doi.org/10.1016/j.jspi.2013.03.018; Rabanser et al. 2019,
https://arxiv.org/abs/1810.11953.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from acquisition.calibration.held_out import mean_prediction
from acquisition.checks import check_count, check_features
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.numerics import entropy
from acquisition.randomness import generator

Kind = Literal["predictions", "features"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftTest:
    """One measure of difference and what permutations of the items make of it.

    Attributes:
        name: ``energy`` or ``jensen_shannon``.
        value: The measure between the two groups.
        threshold: What permuted groups exceed with a chance of ``alpha``.
        p_value: The chance of this value or more without drift, of this test alone.
    """

    name: str
    value: float
    threshold: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Whether incoming items differ from historical ones.

    Attributes:
        drifted: Whether ``p_value`` is at most ``alpha``.
        p_value: The chance that permuted groups give any test so small a p-value (Westfall and Young 1993).
        alpha: The chance of a false alarm.
        tests: Each measure.
        n_historical: Items compared.
        n_incoming: Items compared.
        verdict: The finding in words.
    """

    drifted: bool
    p_value: float
    alpha: float
    tests: tuple[DriftTest, ...]
    n_historical: int
    n_incoming: int
    verdict: str


def drift(
    historical: Tensor,
    incoming: Tensor,
    *,
    kind: Kind = "predictions",
    permutations: int = 500,
    alpha: float = 0.05,
    most_items: int = 1000,
    seed: int = 0,
) -> Drift:
    """Tests whether incoming items come from where the historical ones came from.

    Args:
        historical: log_probs_T_N_C, log_probs_N_C, or features_N_D.
        incoming: The same of other items, predicted by the same posterior and never trained on. Items that an
            acquisition function chose differ by design: take random ones.
        kind: ``predictions`` or ``features``; features are scaled to unit variance.
        permutations: How often items change sides; the least p-value is 1 / (permutations + 1).
        alpha: The chance of a false alarm.
        most_items: Of each group, drawn at random where there are more. Cost
            O((permutations + D) · most_items²).
        seed: Of the items and the permutations.

    Raises:
        InvalidInput: Fewer than two items on a side, or sides that do not fit together.
        NotFinite: NaN or infinity.
        InvalidOption: An option out of range, or too few permutations to ever reach ``alpha``.
    """
    rows_N_D, incoming_M_D = _rows(historical, kind), _rows(incoming, kind)
    _check(rows_N_D, incoming_M_D, permutations, alpha)
    source = generator(seed)
    first, second = _some(rows_N_D, most_items, source), _some(incoming_M_D, most_items, source)
    pooled, n = torch.cat([first, second]), len(first)
    labels = _labels(len(pooled), n, permutations, source).to(pooled)
    if kind == "features":
        pooled = _standardised(pooled)
    measures: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"energy": _energy}
    if kind == "predictions":
        measures["jensen_shannon"] = _jensen_shannon
    values = {name: measure(pooled, labels) for name, measure in measures.items()}
    tests = tuple(_tested(name, values_P, alpha) for name, values_P in values.items())
    return _concluded(tests, _joint_p_value(list(values.values())), alpha, n, len(second))


def _rows(given: Tensor, kind: str) -> Tensor:
    if kind == "predictions":
        return mean_prediction(given).exp()
    if kind != "features":
        raise InvalidOption(f"kind is {kind!r}; predictions or features is expected.")
    check_features("features", given)
    return given.detach().double().flatten(1)


def _check(first: Tensor, second: Tensor, permutations: int, alpha: float) -> None:
    check_count("permutations", permutations)
    if min(len(first), len(second)) < 2:
        raise InvalidInput(f"Two items on each side are the least; found {len(first)} and {len(second)}.")
    if first.shape[1] != second.shape[1]:
        raise InvalidInput(f"The sides have rows of {first.shape[1]} and {second.shape[1]} numbers.")
    if not 1 / (permutations + 1) <= alpha < 1:
        raise InvalidOption(
            f"alpha is {alpha!r} with {permutations} permutations; a number below 1 and of at least "
            f"{1 / (permutations + 1):.3g} is expected: more permutations reach a smaller one."
        )


def _standardised(pooled_N_D: Tensor) -> Tensor:
    """Scales every feature to unit variance; one that is constant up to rounding to zero."""
    mean_D, deviation_D = pooled_N_D.mean(0), pooled_N_D.std(0)
    varies_D = deviation_D > 1e-12 * mean_D.abs()
    return torch.where(varies_D, (pooled_N_D - mean_D) / torch.where(varies_D, deviation_D, 1.0), 0.0)


def _some(rows_N_D: Tensor, most: int, source: torch.Generator) -> Tensor:
    check_count("most_items", most, 2)
    if len(rows_N_D) <= most:
        return rows_N_D
    return rows_N_D[torch.randperm(len(rows_N_D), generator=source)[:most]]


def _labels(n_all: int, n_first: int, permutations: int, source: torch.Generator) -> Tensor:
    """Says who is historical: in column 0 who really is, in the others a permutation of it."""
    labels = torch.zeros(n_all, permutations + 1, dtype=torch.float64)
    labels[:n_first, 0] = 1
    for column in range(1, permutations + 1):
        labels[torch.randperm(n_all, generator=source)[:n_first], column] = 1
    return labels


def _energy(pooled_N_D: Tensor, labels_N_P: Tensor) -> Tensor:
    """Computes the energy distance for every column of labels from one table of distances."""
    distances = torch.cdist(pooled_N_D, pooled_N_D, compute_mode="donot_use_mm_for_euclid_dist")
    n, m = labels_N_P[:, 0].sum(), (1 - labels_N_P[:, 0]).sum()
    to_first_N_P = distances @ labels_N_P
    within_first_P = (labels_N_P * to_first_N_P).sum(0)
    across_P = to_first_N_P.sum(0) - within_first_P
    within_second_P = distances.sum() - 2 * across_P - within_first_P
    return 2 * across_P / (n * m) - within_first_P / n**2 - within_second_P / m**2


def _jensen_shannon(probs_N_C: Tensor, labels_N_P: Tensor) -> Tensor:
    n, m = labels_N_P[:, 0].sum(), (1 - labels_N_P[:, 0]).sum()
    first_P_C = labels_N_P.T @ probs_N_C / n
    second_P_C = (1 - labels_N_P).T @ probs_N_C / m
    return entropy((first_P_C + second_P_C) / 2) - (entropy(first_P_C) + entropy(second_P_C)) / 2


def _tested(name: str, values_P: Tensor, alpha: float) -> DriftTest:
    return DriftTest(
        name=name,
        value=float(values_P[0]),
        threshold=float(values_P[1:].quantile(1 - alpha, interpolation="higher")),
        p_value=float(_p_values(values_P)[0]),
    )


def _p_values(values_P: Tensor) -> Tensor:
    """Computes the share of columns that reach each column's value; what is equal up to rounding does."""
    below_P = torch.searchsorted(values_P.sort().values, values_P - 1e-12)
    return (len(values_P) - below_P).double() / len(values_P)


def _joint_p_value(values: list[Tensor]) -> float:
    """Computes how often a permutation makes any test as sure as the data make the surest."""
    least_P = torch.stack([_p_values(values_P) for values_P in values]).amin(0)
    return float((least_P <= least_P[0]).double().mean())


def _concluded(tests: tuple[DriftTest, ...], p_value: float, alpha: float, n: int, m: int) -> Drift:
    drifted = p_value <= alpha
    judged = "Incoming items differ from historical ones" if drifted else "No difference was found"
    return Drift(
        drifted=drifted,
        p_value=p_value,
        alpha=alpha,
        tests=tests,
        n_historical=n,
        n_incoming=m,
        verdict=f"{judged} (p = {p_value:.3g}, alpha = {alpha:g}, {n} against {m} items).",
    )
