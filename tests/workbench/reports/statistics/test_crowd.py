"""What arrays of votes show: the same as the definitions say answer by answer, and what was published."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.answer_by_answer import krippendorff_alpha, pairwise_kappa
from tests.workbench.domain.test_agreement import PUBLISHED, _items
from workbench.domain.agreement import Agreement
from workbench.domain.annotators import judge
from workbench.domain.records import Annotation
from workbench.reports.statistics.crowd import Votes, alpha, judged, kappas, split_U

NAMES, LABELS = ("ada", "ben", "eve", "joe", "zoë"), ("a", "b", "c", "d")
START = datetime(2026, 1, 1, tzinfo=UTC)
answers = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(LABELS[:3]), max_size=5)
known = st.dictionaries(st.integers(0, 15), st.sampled_from(LABELS), max_size=4)


def votes_of(items: list[dict[str, str]], sure: dict[int, str] | None = None) -> Votes:
    """Votes as arrays; the one of item i by person p is given at a moment of its own."""
    people = tuple(sorted({name for item in items for name in item}))
    labels = tuple(sorted({x for item in items for x in item.values()} | set((sure or {}).values())))
    used = [number for number, item in enumerate(items) if item]
    rows = [
        (place, people.index(name), labels.index(label), number * 7 % 5 * 10 + people.index(name))
        for place, number in enumerate(used)
        for name, label in items[number].items()
    ]
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    known_U = [labels.index(sure[number]) if number in (sure or {}) else -1 for number in used]  # type: ignore[index]
    return Votes(
        people=people,
        labels=labels,
        items_U=np.array(used, np.int64),
        units_V=columns[0],
        people_V=columns[1],
        labels_V=columns[2],
        moments_V=columns[3],
        sure_U=np.array(known_U, np.int64),
        gold_U=np.array(known_U, np.int64) >= 0,
    )


def _annotations(items: list[dict[str, str]]) -> list[Annotation]:
    people = sorted({name for item in items for name in item})
    return [
        Annotation(
            external_id=f"{number}-{name}",
            task_id=number,
            item_id=number,
            annotator=name,
            label=label,
            created_at=(at := START + timedelta(microseconds=number * 7 % 5 * 10 + people.index(name))),
            updated_at=at,
        )
        for number, item in enumerate(items)
        for name, label in item.items()
    ]


def _same(found: Agreement, expected: Agreement) -> None:
    assert found.n == expected.n
    for name in ("value", "low", "high"):
        value = getattr(expected, name)
        assert getattr(found, name) == (None if value is None else pytest.approx(value, abs=1e-9))


@pytest.mark.parametrize(("rows", "published"), PUBLISHED.values(), ids=PUBLISHED)
def test_alpha_is_what_was_published(rows: tuple[str, ...], published: float) -> None:
    value = alpha(votes_of(_items(rows))).value
    assert value is not None
    assert round(value, 3) == published


@settings(derandomize=True)
@given(st.lists(answers, max_size=16))
def test_agreement_is_what_the_definitions_give(items: list[dict[str, str]]) -> None:
    votes = votes_of(items)
    _same(alpha(votes), krippendorff_alpha(items))
    found, expected = kappas(votes), list(pairwise_kappa(items))
    assert [pair[:2] for pair in found] == [pair[:2] for pair in expected]
    for one, other in zip(found, expected, strict=True):
        _same(one.kappa, other.kappa)
    split = {number for number, item in enumerate(items) if len(set(item.values())) > 1}
    assert set(votes.items_U[split_U(votes)].tolist()) == split


@settings(derandomize=True)
@given(st.lists(answers, max_size=16), known)
def test_answers_are_judged_as_one_by_one(items: list[dict[str, str]], sure: dict[int, str]) -> None:
    votes = votes_of(items, sure)
    found = judged(votes)
    expected = judge(_annotations(items), sure)
    assert [
        (votes.people[person], votes.labels[label], votes.labels[reference], gold, bool(right))
        for person, label, reference, gold, right in zip(
            found.people_J, found.labels_J, found.references_J, found.gold_J, found.right_J, strict=True
        )
    ] == [(one.annotator, one.answer, one.reference, one.gold, one.right) for one in expected]


def test_nobody_disagrees_in_an_empty_project() -> None:
    votes = votes_of([])
    assert alpha(votes) == Agreement(None, None, None, 0)
    assert kappas(votes) == []
    assert len(judged(votes).people_J) == 0
