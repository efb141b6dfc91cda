"""A 90 % interval holds the truth in 88 to 92 of 100 projects, of 2,000 whose truth is known.

``COVERAGE_PROJECTS=20000`` is the long form: other projects each time, and narrower limits of chance.
"""

import os
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from tests.workbench.reports.statistics.simulated import KINDS, Kind, Simulated, hits, pools, projects
from workbench.reports.statistics.curves import Curve
from workbench.reports.statistics.lure import together, weigh
from workbench.reports.statistics.proportions import paired_band, wilson_band
from workbench.reports.statistics.savings import (
    Estimate,
    Shared,
    area_difference,
    area_of,
    saved_at,
    saved_at_last,
    shared,
    speed_up,
)

LEVEL = 0.9
PROJECTS = int(os.environ.get("COVERAGE_PROJECTS", "2000"))
SEED = 7 if PROJECTS == 2000 else int.from_bytes(os.urandom(4), "little")
RNG_SEEDS = np.random.SeedSequence(SEED)


def _holds(truth: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= truth) and (high is None or truth <= high)


MEASURES: dict[str, Callable[[Curve, Curve, Simulated], Estimate]] = {
    "area": lambda a, r, s: area_of(a, _shared(a, r), LEVEL),
    "area difference": lambda a, r, s: area_difference(a, r, _shared(a, r), LEVEL),
    "speed-up": lambda a, r, s: speed_up(a, r, _shared(a, r), LEVEL),
    "saved at target": lambda a, r, s: saved_at(a, r, s.target, LEVEL),
    "saved at the last": lambda a, r, s: saved_at_last(a, r, _shared(a, r), LEVEL),
}


def _shared(active: Curve, random: Curve) -> Shared:
    found = shared(active, random)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def held() -> dict[str, list[bool]]:
    """Of every measure and project, whether its interval held what is true of it."""
    found: dict[str, list[bool]] = defaultdict(list)
    for simulated in projects(PROJECTS, draws=199, seed=SEED):
        for name, measure in MEASURES.items():
            truth = measure(simulated.true_active, simulated.true_random, simulated).value
            # A target that one of the arms truly never reaches has no true value.
            if truth is not None:
                estimate = measure(simulated.active, simulated.random, simulated)
                found[name].append(_holds(truth, estimate.low, estimate.high))
    return found


@pytest.mark.parametrize("measure", MEASURES)
def test_a_90_percent_interval_holds_the_truth_in_88_to_92_of_100(
    measure: str, held: dict[str, list[bool]]
) -> None:
    assert len(held[measure]) > 0.8 * PROJECTS
    assert 0.88 <= np.mean(held[measure]) <= 0.92


def test_a_band_holds_the_true_accuracy_in_88_to_92_of_100() -> None:
    rng = np.random.default_rng(SEED)
    share_P = rng.uniform(0.5, 0.97, 10 * PROJECTS)
    n_P = rng.choice([200, 400, 1000], len(share_P)).astype(float)
    band = wilson_band(rng.binomial(n_P.astype(int), share_P) / n_P, n_P, LEVEL)
    assert 0.88 <= np.mean((band.low_R <= share_P) & (share_P <= band.high_R)) <= 0.92


def test_a_paired_difference_holds_the_true_one_in_88_to_92_of_100() -> None:
    rng = np.random.default_rng(SEED)
    held = []
    for number in range(PROJECTS):
        n = (100, 400, 1000)[number % 3]
        truth_R = rng.uniform(0.6, 0.97, 2)
        right_N_R = hits(rng, truth_R, n, rng.choice([0.0, 0.5, 0.9]))
        both, first, second = right_N_R.all(1).mean(), *right_N_R.mean(0)
        band = paired_band(np.array([both]), np.array([first]), np.array([second]), n, LEVEL)
        held.append(band.low_R[0] <= truth_R[0] - truth_R[1] <= band.high_R[0])
    assert 0.88 <= np.mean(held) <= 0.92


@pytest.fixture(scope="module")
def lure_held() -> dict[Kind, list[bool]]:
    """Of each kind of pools, whether the interval held the true accuracy wherever it is shown."""
    rng = np.random.default_rng(SEED)
    held: dict[Kind, list[bool]] = defaultdict(list)
    for kind in KINDS:
        for _ in range(PROJECTS // 200):
            for true, wrong_M, proposal_M in zip(*pools(rng, kind, 200 // len(KINDS) + 1), strict=True):
                found = weigh(wrong_M, proposal_M, kind.pool, LEVEL)
                assert found is not None
                if found.shown:
                    held[kind].append(found.low <= 1 - true <= found.high)
    return held


def test_lure_holds_the_pools_accuracy_in_88_to_92_of_100_pools_of_all_kinds(
    lure_held: dict[Kind, list[bool]],
) -> None:
    assert 0.88 <= np.mean([np.mean(held) for held in lure_held.values()]) <= 0.92


@pytest.mark.parametrize("kind", KINDS)
def test_lure_holds_the_accuracy_of_no_kind_of_pool_in_less_than_82_of_100(
    kind: Kind, lure_held: dict[Kind, list[bool]]
) -> None:
    """Errors of items that are hardly ever drawn can not be seen; with many draws that costs some points."""
    assert np.mean(lure_held[kind]) >= 0.82


def test_rounds_together_hold_their_mean_accuracy_in_at_least_88_of_100() -> None:
    """Ten rounds of 18 chosen items, each of another model and a pool of its own: on the safe side."""
    rng = np.random.default_rng(SEED)
    held = []
    for _ in range(PROJECTS // 80):
        true_K, wrong_K_M, proposal_K_M = pools(rng, KINDS[0], 100)
        found = [weigh(*one, KINDS[0].pool, LEVEL) for one in zip(wrong_K_M, proposal_K_M, strict=True)]
        for first in range(0, 100, 10):
            whole = together([one for one in found[first : first + 10] if one is not None], LEVEL)
            held.append(whole.low <= 1 - true_K[first : first + 10].mean() <= whole.high)
    assert np.mean(held) >= 0.88


def test_the_random_share_holds_the_mean_accuracy_of_its_rounds_in_88_to_92_of_100() -> None:
    """Ten rounds of 10 random items each, every model better than the one before; all rows taken together."""
    rng = np.random.default_rng(SEED)
    share_P_K = np.sort(rng.uniform(0.5, 0.9, (5 * PROJECTS, 10)), axis=1)
    right_P = rng.binomial(10, share_P_K).sum(1)
    band = wilson_band(right_P / 100, np.full(len(right_P), 100.0), LEVEL)
    assert 0.88 <= np.mean((band.low_R <= share_P_K.mean(1)) & (share_P_K.mean(1) <= band.high_R)) <= 0.93
