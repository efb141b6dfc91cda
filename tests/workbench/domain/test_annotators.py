"""Annotators are judged by what is known without them; hands off what can not be judged."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.answer_by_answer import Quality, Suggestion, anchoring, qualities, typical_seconds
from workbench.domain.annotators import Share, confusion, judge
from workbench.domain.records import Annotation

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(
    item: int,
    who: str,
    label: str | None,
    *,
    at: int = 0,
    seconds: float | None = 2.0,
    skipped: bool = False,
    adjudicates: bool = False,
) -> Annotation:
    return Annotation(
        external_id=f"{item}-{who}-{at}{'!' if adjudicates else ''}",
        task_id=item,
        item_id=item,
        annotator=who,
        label=label,
        skipped=skipped,
        seconds=seconds,
        created_at=START + timedelta(minutes=at),
        updated_at=START + timedelta(minutes=at),
        adjudicates=adjudicates,
    )


def _of(name: str, found: list[Quality]) -> Quality:
    return next(quality for quality in found if quality.annotator == name)


def test_an_answer_is_judged_by_the_others_a_ruling_or_the_known_label_in_this_order_of_trust() -> None:
    annotations = [
        *(said(1, who, label) for who, label in [("ada", "a"), ("ben", "a"), ("eve", "b")]),
        *(said(2, who, label) for who, label in [("ada", "a"), ("ben", "b")]),
        said(2, "boss", "b", adjudicates=True),
        *(said(3, who, "a") for who in ("ada", "ben")),
        said(4, "ada", "a"),
    ]
    judged = judge(annotations, {3: "b"})
    found = {(one.annotator, one.answer, one.reference, one.gold) for one in judged}
    assert found == {
        ("eve", "b", "a", False),
        ("ada", "a", "b", False),
        ("ben", "b", "b", False),
        ("ada", "a", "b", True),
        ("ben", "a", "b", True),
    }
    assert len(judged) == 5


def test_two_who_disagree_are_each_judged_by_the_other_and_one_alone_by_nobody() -> None:
    found = qualities([said(1, "ada", "a"), said(1, "ben", "b"), said(2, "eve", "a")], {})
    assert [(q.annotator, q.agreement) for q in found] == [
        ("ada", Share(0, 1)),
        ("ben", Share(0, 1)),
        ("eve", Share(0, 0)),
    ]


def test_gold_is_counted_apart_and_skips_take_no_time() -> None:
    annotations = [
        said(1, "ada", "a", seconds=1.0),
        said(2, "ada", "b", seconds=3.0),
        said(3, "ada", None, skipped=True, seconds=900.0),
        *(said(10 + n, "ada", "a", seconds=2.0) for n in range(9)),
        said(30, "ada", "a", seconds=5000.0),
    ]
    ada = _of("ada", qualities(annotations, {1: "a", 2: "a"}))
    assert ada.gold == Share(1, 2)
    assert typical_seconds(annotations) == (2.0, pytest.approx((10 * 2 + 2 * 3) / 12))
    assert typical_seconds([said(1, "ada", "a", seconds=None)]) == (None, None)


def test_a_ruling_is_no_answer_of_its_author() -> None:
    found = qualities([said(1, "ada", "a"), said(1, "boss", "b", adjudicates=True)], {})
    assert [q.annotator for q in found] == ["ada"]
    assert found[0].agreement == Share(0, 1)


@pytest.mark.parametrize(("later", "sign"), [(0.5, -1), (0.95, 0)])
def test_drift_is_found_where_it_is_and_only_there(later: float, sign: int) -> None:
    chance = random.Random(3)
    annotations = []
    for item in range(400):
        right = 0.95 if item < 200 else later
        annotations.append(said(item, "ada", "a" if chance.random() < right else "b", at=item))
    drift = _of("ada", qualities(annotations, dict.fromkeys(range(400), "a")))
    assert drift.drift is not None
    assert drift.drift_interval is not None
    low, high = drift.drift_interval
    assert low <= drift.drift <= high
    assert (high < 0) == (sign < 0)
    assert (low <= 0 <= high) == (sign == 0)


def test_confusion_counts_answers_by_what_they_are_judged_by() -> None:
    annotations = [said(1, "ada", "a"), said(2, "ada", "b"), said(3, "ada", "b"), said(3, "ben", "a")]
    counted = confusion(judge(annotations, {1: "a", 2: "a"}), "ada")
    assert counted == {("a", "a"): 1, ("a", "b"): 2}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 6), st.sampled_from("xyz")), st.sampled_from("abc"), max_size=15
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_annotations_does_not_matter(
    table: dict[tuple[int, str], str], chance: random.Random
) -> None:
    annotations = [said(item, who, label, at=item) for (item, who), label in table.items()]
    shuffled = chance.sample(annotations, len(annotations))
    assert qualities(shuffled, {0: "a"}) == qualities(annotations, {0: "a"})


def _tasks(blind: bool, agreed: int, n: int) -> list[Suggestion]:
    return [Suggestion(blind, "a", "a" if k < agreed else "b") for k in range(n)]


@pytest.mark.parametrize(
    ("shown", "blind", "verdict"),
    [
        ((95, 100), (60, 100), "people follow the model"),
        ((60, 100), (95, 100), "people go against the model"),
        ((62, 100), (60, 100), "not shown"),
        ((9, 10), (0, 0), "not shown"),
    ],
)
def test_following_the_model_is_claimed_only_where_it_is_shown(
    shown: tuple[int, int], blind: tuple[int, int], verdict: str
) -> None:
    found = anchoring([*_tasks(False, *shown), *_tasks(True, *blind)])
    assert found.verdict == verdict
    assert (found.shown, found.blind) == (Share(*shown), Share(*blind))
