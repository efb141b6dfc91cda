"""What ActiveLab says, on cases whose order is known beforehand."""

from collections.abc import Sequence

import numpy as np
import pytest

from workbench.learning.active_lab import Votes, wanted_answers

CLASSES = ("cat", "dog", "owl")
OTHERS = ("dog", "owl", "cat")


def sure(label: str, of: float) -> list[float]:
    return [of if name == label else (1 - of) / 2 for name in CLASSES]


def wanted(
    votes: Sequence[Votes], known: list[list[float]], new: list[list[float]]
) -> tuple[list[float], list[float]]:
    found = wanted_answers(votes, np.array(known), np.array(new), CLASSES)
    return found.labeled_L.tolist(), found.unlabeled_U.tolist()


def test_an_answer_that_the_model_contradicts_is_wanted_again_most() -> None:
    votes = [{"ann": "cat"}, {"ann": "cat"}, {"ann": "dog"}]
    labeled, _ = wanted(votes, [sure("cat", 0.9), sure("dog", 0.9), sure("dog", 0.5)], [sure("owl", 0.5)])
    assert labeled[1] > labeled[2] > labeled[0]


def test_an_unsure_prediction_is_wanted_more_than_a_sure_one_and_all_are_between_0_and_1() -> None:
    labeled, new = wanted([{"ann": "cat"}], [sure("cat", 0.9)], [sure("owl", 0.95), sure("owl", 0.4)])
    assert new[1] > new[0]
    assert all(0 <= score <= 1 for score in labeled + new)
    assert new[0] > labeled[0], "as sure, what nobody has answered is wanted more"


def test_the_more_people_agree_the_less_another_answer_is_wanted() -> None:
    many = {"ann": "cat", "ben": "cat", "cem": "cat"}
    rest = [{"ann": name, "ben": name, "cem": other} for name, other in zip(CLASSES, OTHERS, strict=True)]
    known = [sure("cat", 0.8), sure("cat", 0.8), *(sure(name, 0.8) for name in CLASSES)]
    labeled, _ = wanted([many, {"ann": "cat"}, *rest], known, [sure("owl", 0.5)])
    assert labeled[0] < labeled[1]


def test_people_who_never_agree_are_no_error_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    labeled, new = wanted([{"ann": "cat", "ben": "dog"}], [sure("cat", 0.6)], [sure("owl", 0.5)])
    assert len(labeled) == len(new) == 1
    assert capsys.readouterr().out == ""
