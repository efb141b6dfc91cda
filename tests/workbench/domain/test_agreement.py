"""Agreement beyond chance: published tables, other ways of computing it, and laws."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from tests.fixtures.answer_by_answer import cohen_kappa, krippendorff_alpha, pairwise_kappa
from workbench.domain.intervals import Z

#: A row for each observer, a column for each unit, a dot where nothing was said.
PUBLISHED = {
    # Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, sections A, B and C.
    "binary": (("0100000010", "1110010000"), 0.095),
    "nominal": (("aabbdcccedda", "babbbccceddd"), 0.692),
    "missing": (("123321412...", "1233224125..", ".33323422513", "12332441251."), 0.743),
    # Wikipedia, Krippendorff's alpha, the computational example.
    "three coders": ((".....34121133.3", "1.213343.......", "..21344.21133.4"), 0.691),
}

answers = st.dictionaries(st.sampled_from(["ada", "ben", "eve", "joe"]), st.sampled_from("abc"), max_size=4)


def _items(rows: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        {f"observer {number}": answer for number, answer in enumerate(column) if answer != "."}
        for column in zip(*rows, strict=True)
    ]


def _alpha_by_pairs(items: list[dict[str, str]]) -> float | None:
    """From the coincidence of every ordered pair of answers, as the definition says."""
    observed, values = 0.0, []
    for item in items:
        given_answers = list(item.values())
        if len(given_answers) > 1:
            differing = sum(a != b for a, b in permutations(given_answers, 2))
            observed += differing / (len(given_answers) - 1)
            values += given_answers
    expected = sum(a != b for a, b in permutations(values, 2))
    return 1 - (len(values) - 1) * observed / expected if expected else None


@pytest.mark.parametrize(("rows", "alpha"), PUBLISHED.values(), ids=PUBLISHED)
def test_alpha_is_what_was_published(rows: tuple[str, ...], alpha: float) -> None:
    value = krippendorff_alpha(_items(rows)).value
    assert value is not None
    assert round(value, 3) == alpha


@given(st.lists(answers, max_size=12))
def test_alpha_is_what_counting_all_pairs_gives(items: list[dict[str, str]]) -> None:
    found, expected = krippendorff_alpha(items), _alpha_by_pairs(items)
    assert found.value == (None if expected is None else pytest.approx(expected))
    assert found.n == sum(len(item) > 1 for item in items)


@given(st.lists(answers, max_size=12), st.randoms(use_true_random=False))
def test_alpha_does_not_depend_on_order_or_on_names(
    items: list[dict[str, str]], chance: random.Random
) -> None:
    renamed = [{name[::-1]: {"a": "z", "b": "a", "c": "y"}[x] for name, x in item.items()} for item in items]
    chance.shuffle(renamed)
    assert krippendorff_alpha(renamed) == pytest.approx(krippendorff_alpha(items), nan_ok=True)


@given(st.lists(answers, max_size=12))
def test_an_interval_holds_its_value(items: list[dict[str, str]]) -> None:
    found = krippendorff_alpha(items)
    if found.value is not None:
        assert found.low is not None
        assert found.high is not None
        assert -1 <= found.low <= max(found.value, -1) <= found.high <= 1


def test_alpha_is_one_when_all_agree_nothing_when_there_is_one_answer_only_and_about_zero_by_chance() -> None:
    assert krippendorff_alpha([{"ada": x, "ben": x} for x in "aabbc"]).value == 1
    assert krippendorff_alpha([{"ada": "a", "ben": "a"}] * 9).value is None
    chance = random.Random(1)
    guessed = krippendorff_alpha([{name: chance.choice("abc") for name in "xyz"} for _ in range(2000)])
    assert guessed.low is not None
    assert guessed.high is not None
    assert guessed.low < 0 < guessed.high
    assert guessed.high - guessed.low < 0.1


@pytest.mark.parametrize("n", [2, 6, 50])
def test_a_few_items_without_any_disagreement_do_not_show_that_there_is_none(n: int) -> None:
    pairs = [("ab"[i % 2], "ab"[i % 2]) for i in range(n)]
    alpha, kappa = krippendorff_alpha({"ada": a, "ben": b} for a, b in pairs), cohen_kappa(pairs)
    never = cohen_kappa([(a, "a" if a == "b" else "b") for a, _ in pairs])
    assert alpha.value == kappa.value == alpha.high == kappa.high == 1
    # Half of all pairs differ by chance; of n items that all agree, Wilson's interval begins at n / (n + z²).
    assert kappa.low == pytest.approx(max(-1, 1 - 2 * Z * Z / (n + Z * Z)))
    assert alpha.low is not None
    assert alpha.low < 0.95
    assert (never.value, never.low) == (-1, -1)
    assert never.high == pytest.approx(min(1, -1 + 2 * Z * Z / (n + Z * Z)))


def test_the_interval_of_alpha_holds_the_truth_about_as_often_as_it_says() -> None:
    """Two people who each say the truth of one of two even classes with probability 0.9: alpha is 0.64."""
    hits = 0
    for seed in range(200):
        chance = random.Random(seed)
        items = [{name: _noisy(chance, i % 2 == 0, 0.9) for name in "xy"} for i in range(150)]
        found = krippendorff_alpha(items)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.64 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def _noisy(chance: random.Random, truth: bool, right: float) -> str:
    return "a" if truth == (chance.random() < right) else "b"


def test_kappa_and_its_error_are_what_was_published() -> None:
    """Fleiss, Cohen and Everitt (1969): 200 patients, kappa 0.429 with a standard error of 0.054."""
    table = ((106, 10, 4), (22, 28, 10), (2, 12, 6))
    pairs = [("abc"[i], "abc"[j]) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    found = cohen_kappa(pairs)
    assert found.value is not None
    assert found.high is not None
    assert round(found.value, 3) == 0.429
    assert round((found.high - found.value) / Z, 3) == 0.054
    assert found.n == 200


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_kappa_is_what_scikit_learn_gives(pairs: list[tuple[str, str]]) -> None:
    found = cohen_kappa(pairs)
    if found.value is None:
        assert len({*map(tuple, pairs)}) == 1
    else:
        assert found.value == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_only_people_who_share_items_are_compared() -> None:
    items = [{"ben": "a", "ada": "a"}, {"ada": "b", "ben": "b"}, {"eve": "a"}]
    found = list(pairwise_kappa(items))
    assert [(pair.first, pair.second, pair.kappa.value) for pair in found] == [("ada", "ben", 1.0)]
