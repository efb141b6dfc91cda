"""Simulated people: alike unless told apart, and each errs as often, and in the way, that was said."""

import pytest

from workbench.simulation.answers import Answers, Person

CLASSES = ("cat", "dog", "owl")
TRUTHS = {f"item-{number}": CLASSES[number % 3] for number in range(3000)}


def answers(**people: Person) -> Answers:
    return Answers(truths=TRUTHS, classes=CLASSES, seed=1, skip_rate=0.0, people=people)


def test_people_who_are_not_told_apart_answer_alike() -> None:
    found = answers(ann=Person(error_rate=1.0))
    assert all(found.of(key) == found.of(key, "ben") for key in TRUTHS)
    assert found.of("item-0", "ann") != found.of("item-0", "ben")


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_somebody_errs_as_often_as_said_and_the_same_each_time(rate: float) -> None:
    found = answers(ann=Person(error_rate=rate))
    wrong = [found.of(key, "ann").label != truth for key, truth in TRUTHS.items()]
    assert sum(wrong) / len(wrong) == pytest.approx(rate, abs=0.03)
    assert [found.of(key, "ann").label != truth for key, truth in TRUTHS.items()] == wrong


def test_two_people_do_not_err_on_the_same_items() -> None:
    found = answers(ann=Person(error_rate=0.5), ben=Person(error_rate=0.5))
    same = [found.of(key, "ann").label == found.of(key, "ben").label for key in TRUTHS]
    assert 0.2 < sum(same) / len(same) < 0.55


def test_a_confusion_takes_one_class_for_another_and_leaves_the_rest_right() -> None:
    found = answers(ann=Person(confusion={"cat": {"dog": 0.5}, "dog": {}, "owl": {"cat": 0.1, "dog": 0.2}}))
    said = {
        name: [found.of(k, "ann").label for k, truth in TRUTHS.items() if truth == name] for name in CLASSES
    }
    assert set(said["cat"]) == {"cat", "dog"}
    assert said["cat"].count("dog") / len(said["cat"]) == pytest.approx(0.5, abs=0.05)
    assert set(said["dog"]) == {"dog"}
    assert said["owl"].count("dog") / len(said["owl"]) == pytest.approx(0.2, abs=0.05)
