"""A target that is looked at after every round is not reached by luck."""

import numpy as np
import pytest

from workbench.domain.intervals import wilson
from workbench.domain.looks import OWN_ITEMS, looks_needed, sure_low
from workbench.domain.records import BudgetPoint, Metric

ROUNDS = 40


def _points(lows: list[float | None]) -> list[BudgetPoint]:
    spent = {"labels": 10, "annotations": 10, "seconds": 0.0, "cost": 0.0, "compute_seconds": 0.0}
    return [
        BudgetPoint(round_number=k, metric="accuracy", value=None, low=low, high=None, n=10, **spent)
        for k, low in enumerate(lows)
    ]


def _metric(split: str) -> Metric:
    return Metric(split=split, name="accuracy", value=0.9, low=0.8, high=0.95, n=20)


def test_held_out_items_need_one_look_and_random_picks_of_a_round_two() -> None:
    assert looks_needed(3, [(2, _metric("control")), (3, _metric("control")), (3, _metric("test"))]) == 1
    assert looks_needed(3, [(2, _metric("test")), (3, _metric("control"))]) == OWN_ITEMS
    assert looks_needed(3, []) == OWN_ITEMS


@pytest.mark.parametrize(
    ("lows", "looks", "low"),
    [([0.7, 0.9], 1, 0.9), ([0.9, 0.7], 2, 0.7), ([0.9], 2, None), ([], 1, None), ([0.9, None, 0.8], 2, 0.8)],
)
def test_what_is_surely_reached_is_the_least_of_the_last_looks(
    lows: list[float | None], looks: int, low: float | None
) -> None:
    assert sure_low(_points(lows), looks) == low


@pytest.mark.parametrize(("picks", "target"), [(5, 0.5), (10, 0.7), (20, 0.8), (50, 0.9)])
def test_a_model_a_point_below_its_target_is_told_to_stop_in_one_project_of_twenty_at_most(
    picks: int, target: float
) -> None:
    """Forty rounds, each on random picks of its own."""
    low_K = np.array([wilson(right, picks).low for right in range(picks + 1)])
    at_P_R = low_K[np.random.default_rng(1).binomial(picks, target - 0.01, (4000, ROUNDS))] >= target
    once, twice = at_P_R.any(1).mean(), (at_P_R[:, 1:] & at_P_R[:, :-1]).any(1).mean()
    assert once > 0.1
    assert twice < 0.05
