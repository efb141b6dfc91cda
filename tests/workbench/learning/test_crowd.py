"""Consensus by a model of the annotators: other ways of computing it, known crowds, and laws."""

import random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import digamma

from workbench.domain.errors import ConfigProblem
from workbench.learning import crowd
from workbench.learning.crowd import METHODS, Answer, check_crowd, posteriors

CLASSES = ("cat", "dog", "emu")


@pytest.fixture(autouse=True)
def _fewer_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "MACE_ITERATIONS", 40)
    monkeypatch.setattr(crowd, "DAWID_SKENE_ITERATIONS", 40)


def _crowd(seed: int, right: dict[str, float], items: int, each: int) -> tuple[list[Answer], dict[int, str]]:
    """People who say the truth as often as given, else one of the other classes; ``each`` asked an item."""
    chance = random.Random(seed)
    truth = {item: chance.choice(CLASSES) for item in range(items)}
    answers = []
    for item, true in truth.items():
        for name in chance.sample(sorted(right), each):
            others = [c for c in CLASSES if c != true]
            answers.append(
                Answer(item, name, true if chance.random() < right[name] else chance.choice(others))
            )
    return answers, truth


def _winners(found: dict[int, dict[str, float]]) -> dict[int, str]:
    return {item: max(sorted(row), key=lambda label: row[label]) for item, row in found.items()}


def _majority(answers: list[Answer]) -> dict[int, str]:
    said: dict[int, list[str]] = {}
    for answer in answers:
        said.setdefault(answer.item, []).append(answer.label)
    return {item: max(sorted(set(labels)), key=labels.count) for item, labels in said.items()}


def _accuracy(winners: dict[int, str], truth: dict[int, str]) -> float:
    return float(np.mean([winners[item] == true for item, true in truth.items()]))


def _as_arrays(answers: list[Answer]) -> tuple[NDArray[Any], ...]:
    people = sorted({a.annotator for a in answers})
    return (
        np.array([a.item for a in answers]),
        np.array([people.index(a.annotator) for a in answers]),
        np.array([CLASSES.index(a.label) for a in answers]),
    )


def _dawid_skene(
    answers: list[Answer], certain: dict[int, str], iterations: int = 1000
) -> NDArray[np.float64]:
    """EM on plain arrays, from shares of votes, until nothing moves."""
    item, person, label = _as_arrays(answers)
    n, people, c = item.max() + 1, person.max() + 1, len(CLASSES)
    truth = np.zeros((n, c))
    np.add.at(truth, (item, label), 1.0)
    truth /= truth.sum(1, keepdims=True)

    def known() -> None:
        for i, name in certain.items():
            truth[i] = np.eye(c)[CLASSES.index(name)]

    known()
    for _ in range(iterations):
        prior = truth.mean(0)
        matrix = np.full((people, c, c), 1e-12)
        np.add.at(matrix, (person, slice(None), label), truth[item])
        matrix /= matrix.sum(2, keepdims=True)
        logs = np.tile(np.log(prior), (n, 1))
        np.add.at(logs, item, np.log(matrix[person, :, label]))
        truth = np.exp(logs - logs.max(1, keepdims=True))
        truth /= truth.sum(1, keepdims=True)
        known()
    return truth


def _mace(answers: list[Answer], iterations: int) -> NDArray[np.float64]:
    """Variational Bayes on plain arrays, from the middle of everything."""
    item, person, label = _as_arrays(answers)
    n, people, c = item.max() + 1, person.max() + 1, len(CLASSES)
    habit, knows = np.full((people, c), 1 / c), np.full((people, 2), 0.5)
    for _ in range(iterations + 1):
        by_habit = knows[person, 0] * habit[person, label]
        like = np.ones((n, c))
        for k in range(c):
            np.multiply.at(like[:, k], item, by_habit + knows[person, 1] * (label == k))
        truth = like / like.sum(1, keepdims=True)
        knew = truth[item, label] * knows[person, 1] / (by_habit + knows[person, 1])
        habits, known = np.zeros((people, c)), np.zeros(people)
        np.add.at(habits, (person, label), 1 - knew)
        np.add.at(known, person, knew)
        habit = _expected(habits + 10.0)
        knows = _expected(np.stack([habits.sum(1), known], 1) + 0.5)
    return truth


def _expected(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(digamma(counts) - digamma(counts.sum(1, keepdims=True))))


def _table(found: dict[int, dict[str, float]]) -> NDArray[np.float64]:
    return np.array([[found[item].get(name, 0.0) for name in CLASSES] for item in sorted(found)])


@pytest.mark.parametrize("certain", [{}, {0: "emu", 1: "cat", 7: "dog"}])
def test_dawid_skene_is_what_plain_expectation_maximisation_gives(
    certain: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "DAWID_SKENE_ITERATIONS", 200)
    answers, _ = _crowd(1, {"ada": 0.9, "ben": 0.8, "eve": 0.7, "joe": 0.85}, 200, 4)
    found = _table(posteriors("dawid_skene", answers, certain))
    assert np.abs(found - _dawid_skene(answers, certain)).max() < 0.02
    assert (found.argmax(1) == _dawid_skene(answers, certain).argmax(1)).all()
    for item, name in certain.items():
        assert found[item, CLASSES.index(name)] == pytest.approx(1)


@pytest.mark.parametrize("seed", [1, 2])
def test_mace_is_what_plain_variational_bayes_gives_whoever_comes_first(seed: int) -> None:
    """Given names that do not come in their order, the library alone mixes up who has which habit."""
    answers, _ = _crowd(seed, {"ada": 0.4, "ben": 0.95, "eve": 0.6, "joe": 0.75}, 150, 3)
    found = _table(posteriors("mace", answers[::-1], {}))
    assert np.abs(found - _mace(answers, crowd.MACE_ITERATIONS)).max() < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_neither_order_nor_names_matter(method: str) -> None:
    answers, _ = _crowd(4, {"ada": 0.9, "ben": 0.7, "eve": 0.4}, 15, 2)
    names = {"ada": "zoe", "ben": "amy", "eve": "ben"}
    labels = {"cat": "yak", "dog": "ant", "emu": "emu"}
    other = [Answer(a.item, names[a.annotator], labels[a.label]) for a in answers]
    random.Random(4).shuffle(other)
    before, after = posteriors(method, answers, {}), posteriors(method, other, {})
    for item, row in before.items():
        for label, probability in row.items():
            assert after[item][labels[label]] == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_are_probabilities(method: str) -> None:
    answers, truth = _crowd(5, {"ada": 0.9, "ben": 0.7, "eve": 0.4}, 60, 2)
    found = posteriors(method, answers, {})
    assert found.keys() == truth.keys()
    for row in found.values():
        assert sum(row.values()) == pytest.approx(1)
        assert all(0 <= probability <= 1 for probability in row.values())


@pytest.mark.parametrize("method", METHODS)
def test_one_bad_annotator_costs_less_than_with_a_majority(method: str) -> None:
    right = {"ada": 0.95, "ben": 0.9, "bad": 0.34}
    gains = []
    for seed in range(2):
        answers, truth = _crowd(seed, right, 200, 2)
        model = _accuracy(_winners(posteriors(method, answers, {})), truth)
        gains.append(model - _accuracy(_majority(answers), truth))
    assert np.mean(gains) > 0.03
    assert min(gains) > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_single_answer_counts_as_much_as_who_gave_it(method: str) -> None:
    right = {"ada": 0.95, "ben": 0.9, "eve": 0.9, "bad": 0.4}
    answers, _ = _crowd(2, right, 300, 3)
    alone = [Answer(1000 + n, name, CLASSES[n % 3]) for name in ("ada", "bad") for n in range(3)]
    good = posteriors(method, [*answers, *alone[:3]], {})
    bad = posteriors(method, [*answers, *alone[3:]], {})
    for n in range(3):
        assert good[1000 + n][CLASSES[n]] > 0.85
        assert good[1000 + n][CLASSES[n]] > bad[1000 + n][CLASSES[n]] + 0.2


@pytest.mark.parametrize("method", METHODS)
def test_nothing_said_is_nothing_found(method: str) -> None:
    assert posteriors(method, [], {}) == {}


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "find_spec", lambda _name: None)
    check_crowd("majority")
    with pytest.raises(
        ConfigProblem, match=r"crowd-kit.*pip install 'active-labeling-workbench\[consensus\]'"
    ):
        check_crowd("mace")
