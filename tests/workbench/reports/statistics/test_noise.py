"""How many answers are wrong: known answers, and simulated people who err as often as they say."""

import numpy as np
import pytest

from workbench.domain.intervals import wilson
from workbench.reports.statistics.noise import as_by_chance, from_difference, from_known, wilson_of


def test_known_answers_give_the_plain_share() -> None:
    assert from_known(3, 60) == (0.05, *wilson(3, 60), 60)


def test_two_people_who_never_or_always_by_chance_differ() -> None:
    assert from_difference(0, 100, 4).value == 0
    assert from_difference(75, 100, 4).value == pytest.approx(0.75)
    assert from_difference(100, 100, 4).value == pytest.approx(0.75)
    # Of two classes: d = 2e(1 - e).
    assert from_difference(18, 100, 2).value == pytest.approx(0.1)


@pytest.mark.parametrize("classes", [2, 5, 50])
@pytest.mark.parametrize("wrong", [0.02, 0.1, 0.3])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(classes: int, wrong: float) -> None:
    chance = np.random.default_rng(1)
    trials, items = 500, 400
    errs = chance.random((trials, items, 2)) < wrong
    said = np.where(errs, chance.integers(1, classes, errs.shape), 0)
    differing = (said[..., 0] != said[..., 1]).sum(1)
    found = [from_difference(float(hits), items, classes) for hits in differing]
    holds = np.mean([one.low <= wrong <= one.high for one in found])
    assert 0.92 <= holds <= 0.985
    assert np.mean([one.value for one in found]) == pytest.approx(wrong, rel=0.05)


@pytest.mark.parametrize(("differing", "expected"), [(0, False), (60, False), (80, True), (100, True)])
def test_people_who_differ_as_often_as_guesses_tell_nothing(differing: int, expected: bool) -> None:
    # Two people who guess among five classes differ on 80 % of the items.
    assert as_by_chance(float(differing), 100, 5) is expected


def test_a_part_of_an_item_lies_between_whole_ones() -> None:
    assert wilson_of(7.0, 20) == wilson(7, 20)
    assert wilson(7, 20).low < wilson_of(7.5, 20).low < wilson(8, 20).low
