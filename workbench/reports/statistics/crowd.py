"""What many people's answers to many items show, from arrays: agreement, and how right each is.

Hundreds of thousands of answers one by one would take too long; a test does just that, and holds both equal.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from workbench.domain.agreement import Agreement, PairAgreement
from workbench.domain.intervals import Z, wilson

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Votes:
    """V answers: of each person at most one to an item.

    Attributes:
        people: Names, sorted; ``people_V`` is the place of each in it.
        labels: Answers; ``labels_V`` likewise.
        units_V: Which of U items, from 0; items in the order of their numbers.
        moments_V: When, in microseconds.
        sure_U: The label that is known for certain, by its place in ``labels``; -1 where none is.
        gold_U: It was known before anybody answered.
    """

    people: tuple[str, ...]
    labels: tuple[str, ...]
    items_U: Ints
    units_V: Ints
    people_V: Ints
    labels_V: Ints
    moments_V: Ints
    sure_U: Ints
    gold_U: Bools

    @property
    def sizes_U(self) -> Ints:
        """How many people answered each item."""
        return np.bincount(self.units_V, minlength=len(self.items_U))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedVotes:
    """J answers beside what each is judged by, in the order in which they were given."""

    people_J: Ints
    labels_J: Ints
    references_J: Ints
    gold_J: Bools
    moments_J: Ints

    @property
    def right_J(self) -> Bools:
        """Whether the two are the same."""
        right: Bools = self.labels_J == self.references_J
        return right


def alpha(votes: Votes) -> Agreement:
    """Compute Krippendorff's alpha for nominal data, with missing answers; the interval is the jackknife's.

    alpha = 1 − (n − 1) D / (n² − Σ n_c²), where D adds up (m² − Σ m_c²) / (m − 1) over items that m ≥ 2
    people answered (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).
    """
    sizes_U = votes.sizes_U
    shared = int((sizes_U > 1).sum())
    kept = sizes_U[votes.units_V] > 1
    units_E, labels_E, counts_E = _counted(votes.units_V[kept], votes.labels_V[kept], len(votes.labels))
    totals_L = np.bincount(labels_E, counts_E, len(votes.labels))
    n, squares = float(totals_L.sum()), float((totals_L**2).sum())
    same_U = np.bincount(units_E, counts_E**2, len(sizes_U))[sizes_U > 1]
    m_U = sizes_U[sizes_U > 1].astype(float)
    differing_U = (m_U**2 - same_U) / (m_U - 1)
    observed, expected = float(differing_U.sum()), n * n - squares
    if expected == 0:
        return Agreement(None, None, None, shared)
    value = 1 - (n - 1) * observed / expected
    if not differing_U.any() or bool((same_U == m_U).all()):
        agreed = wilson(shared if observed == 0 else 0, shared)
        return Agreement(value, *_beyond(*agreed, expected / (n * (n - 1))), shared)
    fewer_U = np.bincount(units_E, 2 * totals_L[labels_E] * counts_E - counts_E**2, len(sizes_U))[sizes_U > 1]
    left_U, without_U = n - m_U, (n - m_U) ** 2 - (squares - fewer_U)
    some = without_U != 0
    alphas = 1 - (left_U[some] - 1) * (observed - differing_U[some]) / without_U[some]
    return Agreement(value, *_jackknife(value, alphas), shared)


def kappas(votes: Votes) -> list[PairAgreement]:
    """Compute Cohen's kappa of every two people who share an item, by name, with its large-sample interval.

    Fleiss, Cohen and Everitt 1969, https://doi.org/10.1037/h0028106; Wilson's of the share where two people
    always or never agreed.
    """
    people = len(votes.people)
    firsts, seconds = _pairs(votes)
    if len(firsts) == 0:
        return []
    pairs_P, pair_N = np.unique(
        votes.people_V[firsts] * people + votes.people_V[seconds], return_inverse=True
    )
    found = _kappas(pair_N, votes.labels_V[firsts], votes.labels_V[seconds], len(votes.labels))
    names = [(votes.people[pair // people], votes.people[pair % people]) for pair in pairs_P.tolist()]
    return [PairAgreement(*both, kappa) for both, kappa in zip(names, found, strict=True)]


def _kappas(pair_N: Ints, first_N: Ints, second_N: Ints, labels: int) -> list[Agreement]:
    """The kappa of each pair from N pairs of answers; E are the cells of their tables that are not empty."""
    of_E, cells_E, counts_E = _counted(pair_N, first_N * labels + second_N, labels * labels)
    a_E, b_E = cells_E // labels, cells_E % labels
    n_P = np.bincount(of_E, counts_E)
    share_E = counts_E / n_P[of_E]
    first_PL, second_PL = (
        np.bincount(of_E * labels + codes_E, share_E, len(n_P) * labels).reshape(-1, labels)
        for codes_E in (a_E, b_E)
    )
    agreed_P = np.bincount(of_E, np.where(a_E == b_E, counts_E, 0))
    chance_P = (first_PL * second_PL).sum(1)
    one_label_P = (first_PL * second_PL).max(1) == 1
    kappa_P = (agreed_P / n_P - chance_P) / np.where(one_label_P, 1.0, 1 - chance_P)
    weight_E = np.where(
        a_E == b_E,
        (1 - (first_PL[of_E, a_E] + second_PL[of_E, b_E]) * (1 - kappa_P[of_E])) ** 2,
        (1 - kappa_P[of_E]) ** 2 * (second_PL[of_E, a_E] + first_PL[of_E, b_E]) ** 2,
    )
    spread_P = np.bincount(of_E, share_E * weight_E) - (kappa_P - chance_P * (1 - kappa_P)) ** 2
    return [
        Agreement(None, None, None, int(n))
        if one
        else _kappa(float(kappa), int(agreed), int(n), chance, spread)
        for kappa, agreed, n, chance, spread, one in zip(
            kappa_P, agreed_P, n_P, chance_P.tolist(), spread_P.tolist(), one_label_P, strict=True
        )
    ]


def _kappa(kappa: float, agreed: int, n: int, chance: float, spread: float) -> Agreement:
    if agreed in (0, n):
        return Agreement(kappa, *_beyond(*wilson(agreed, n), 1 - chance), n)
    reach = Z * sqrt(max(0.0, spread) / (n * (1 - chance) ** 2))
    return Agreement(kappa, max(-1.0, kappa - reach), min(1.0, kappa + reach), n)


def judged(votes: Votes) -> JudgedVotes:
    """Judge every answer by what is known without it: for certain, else what most of the others said."""
    references_V = np.where(votes.sure_U[votes.units_V] >= 0, votes.sure_U[votes.units_V], _others(votes))
    kept = np.flatnonzero(references_V >= 0)
    order = kept[np.lexsort((votes.units_V[kept], votes.moments_V[kept]))]
    return JudgedVotes(
        people_J=votes.people_V[order],
        labels_J=votes.labels_V[order],
        references_J=references_V[order],
        gold_J=votes.gold_U[votes.units_V[order]],
        moments_J=votes.moments_V[order],
    )


def split_U(votes: Votes) -> Bools:
    """Which items got different answers; one answer differs from nothing."""
    units_E, _, _ = _counted(votes.units_V, votes.labels_V, len(votes.labels))
    split: Bools = np.bincount(units_E, minlength=len(votes.items_U)) > 1
    return split


def _others(votes: Votes) -> Ints:
    """The answer that most of the others gave to each vote's item; -1 for a tie, or without others."""
    units = len(votes.items_U)
    units_E, labels_E, counts_E = _counted(votes.units_V, votes.labels_V, len(votes.labels))
    order = np.lexsort((-counts_E, units_E))
    begins_U = np.searchsorted(units_E[order], np.arange(units))
    rank_E = np.arange(len(order)) - begins_U[units_E[order]]
    # The three most frequent answers are enough: one of them may be the vote's own.
    label_UR, count_UR = np.full((units, 3), -1), np.zeros((units, 3), np.int64)
    top = rank_E < 3
    label_UR[units_E[order][top], rank_E[top]] = labels_E[order][top]
    count_UR[units_E[order][top], rank_E[top]] = counts_E[order][top]
    labels_V, units_V = votes.labels_V, votes.units_V
    key_E = units_E * len(votes.labels) + labels_E
    own_V = counts_E[np.searchsorted(key_E, units_V * len(votes.labels) + labels_V)] - 1
    is_own_VR = label_UR[units_V] == labels_V[:, None]
    others_VR = np.where(is_own_VR, -1, count_UR[units_V])
    ranked_VR = np.sort(others_VR, axis=1)
    best_V = np.argmax(others_VR, axis=1)
    most_V, next_V = ranked_VR[:, 2], ranked_VR[:, 1]
    theirs_V = label_UR[units_V, best_V]
    clear_V = (most_V > own_V) & (most_V > next_V)
    return np.where(own_V > most_V, np.where(own_V > 0, labels_V, -1), np.where(clear_V, theirs_V, -1))


def _counted(groups: Ints, codes: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """How often each code occurs in each group: groups, codes and counts, sorted."""
    keys, counts = np.unique(groups * max(1, size) + codes, return_counts=True)
    return keys // max(1, size), keys % max(1, size), counts


def _pairs(votes: Votes) -> tuple[Ints, Ints]:
    """Every two votes on the same item, the one of the first by name first."""
    order = np.lexsort((votes.people_V, votes.units_V))
    sizes_U = votes.sizes_U
    begins_U = np.cumsum(sizes_U) - sizes_U
    firsts, seconds = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for size in np.unique(sizes_U[sizes_U > 1]):
        places_NK = begins_U[sizes_U == size][:, None] + np.arange(size)
        a, b = np.triu_indices(int(size), 1)
        firsts.append(order[places_NK[:, a].ravel()])
        seconds.append(order[places_NK[:, b].ravel()])
    return np.concatenate(firsts), np.concatenate(seconds)


def _jackknife(value: float, without: Floats) -> tuple[float, float]:
    n = len(without)
    if n < 2:
        return -1.0, 1.0
    reach = Z * sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    return max(-1.0, value - reach), min(1.0, value + reach)


def _beyond(low: float, high: float, expected: float) -> tuple[float, float]:
    """An interval of agreement as one beyond chance, by which ``expected`` of all pairs differ."""
    return max(-1.0, 1 - (1 - low) / expected), min(1.0, 1 - (1 - high) / expected)
