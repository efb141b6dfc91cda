"""A ruling stands above opinions, is the newest valid one, and can be taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.adjudication import is_queue, opinions, queue_name, ruling
from workbench.domain.records import Annotation, LabelStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def said(number: int, label: str | None, minute: int = 0, *, rules: bool = True) -> Annotation:
    at = NOON + timedelta(minutes=minute)
    return Annotation(
        external_id=str(number),
        task_id=1,
        item_id=1,
        annotator=f"person-{number}",
        label=label,
        skipped=label is None,
        created_at=at,
        updated_at=at,
        adjudicates=rules,
    )


def test_opinions_alone_are_no_ruling() -> None:
    assert ruling([said(1, "cat", rules=False)]) is None
    assert ruling([]) is None


def test_the_newest_ruling_counts_and_a_skip_is_none() -> None:
    found = ruling([said(1, "cat", 5), said(2, "dog", 9), said(3, None, 12), said(4, "owl", 20, rules=False)])
    assert found is not None
    assert found == ("dog", LabelStatus.AGREED, 1.0, ("2",))


def test_a_ruling_that_was_taken_back_gives_way_to_the_one_before() -> None:
    first, second = said(1, "cat", 5), said(2, "dog", 9)
    gone = replace(second, deleted=True, updated_at=NOON + timedelta(minutes=10))
    found = ruling([first, second, gone])
    assert found is not None
    assert found.value == "cat"
    assert ruling([second, gone]) is None


@given(st.permutations(range(5)))
def test_the_order_in_which_rulings_are_read_does_not_matter(order: list[int]) -> None:
    rulings = [said(n, f"class-{n}", minute=n * 7 % 5, rules=n != 3) for n in range(5)]
    assert ruling([rulings[n] for n in order]) == ruling(rulings)


@given(st.lists(st.booleans(), max_size=6))
def test_what_is_no_ruling_is_an_opinion(flags: list[bool]) -> None:
    found = [said(n, "cat", rules=flag) for n, flag in enumerate(flags)]
    assert len(opinions(found)) == flags.count(False)


def test_a_queue_is_told_by_its_name() -> None:
    assert is_queue(queue_name("label-studio"))
    assert not is_queue("label-studio")
