"""Scores of classes: numbers worked out by hand, scikit-learn, and intervals counted in simulation."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from workbench.reports.statistics.classes import class_scores, f1


def test_a_confusion_worked_out_by_hand() -> None:
    # Rows are the truth: a 3 of 4 found, b 1 of 2, c 0 of 1; d is never there and never said.
    target = np.array([0, 0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 0, 1, 1, 0, 0])
    a, b, c, d = class_scores(target, predicted, 4)
    assert (a.held_out, a.predicted, a.found) == (4, 5, 3)
    assert a.recall is not None
    assert a.recall.value == 0.75
    assert a.precision is not None
    assert a.precision.value == 0.6
    assert a.f1 is not None
    assert a.f1.value == pytest.approx(2 / 3)
    assert b.f1 is not None
    assert b.f1.value == 0.5
    assert (c.precision, c.predicted) == (None, 0)
    assert c.recall is not None
    assert (c.recall.value, c.recall.low) == (0.0, 0.0)
    assert c.f1 is not None
    assert c.f1.value == 0.0
    assert (d.recall, d.precision, d.f1) == (None, None, None)


@pytest.mark.parametrize("n_classes", [2, 50])
def test_scores_are_those_of_scikit_learn(n_classes: int) -> None:
    random = np.random.default_rng(n_classes)
    target = random.integers(0, n_classes, 400)
    predicted = np.where(random.random(400) < 0.7, target, random.integers(0, n_classes, 400))
    precision, recall, f_score, support = precision_recall_fscore_support(
        target, predicted, labels=range(n_classes), zero_division=0.0
    )
    for number, found in enumerate(class_scores(target, predicted, n_classes)):
        assert found.held_out == support[number]
        assert (found.recall.value if found.recall else 0.0) == pytest.approx(recall[number])
        assert (found.precision.value if found.precision else 0.0) == pytest.approx(precision[number])
        assert (found.f1.value if found.f1 else 0.0) == pytest.approx(f_score[number])


@pytest.mark.parametrize(
    "shares", [(0.05, 0.01, 0.01), (0.1, 0.05, 0.02), (0.02, 0.02, 0.03), (0.3, 0.1, 0.05)]
)
@pytest.mark.parametrize("n", [60, 400, 2000])
def test_the_interval_of_f1_covers_the_truth_as_often_as_it_says(
    shares: tuple[float, float, float], n: int
) -> None:
    truth = 2 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
    drawn = np.random.default_rng(n).multinomial(n, [*shares, 1 - sum(shares)], size=4000)
    found = [f1(*counts) for counts in drawn[:, :3].tolist()]
    covers = [one.low <= truth <= one.high for one in found if one is not None]
    assert 0.93 <= np.mean(covers) <= 0.975


def test_f1_of_a_perfect_class_still_has_an_interval() -> None:
    found = f1(10, 0, 0)
    assert found is not None
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.7 < found.low < 0.9
