"""Laws of the consensus: order does not matter, ties are conflicts, one person has one vote."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.consensus import current, majority, task_state, usable
from workbench.domain.records import Annotation, LabelStatus, TaskState

START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[Annotation]:
    """Versions of annotations by three people, with skips, faults, edits and deletions."""
    versions = []
    for number in range(draw(st.integers(0, 5))):
        person = draw(st.sampled_from(["ada", "ben", "eve"]))
        for edit in range(draw(st.integers(1, 3))):
            label = draw(st.sampled_from(["a", "b", None]))
            versions.append(
                Annotation(
                    external_id=str(number),
                    task_id=1,
                    item_id=1,
                    annotator=person,
                    label=label,
                    skipped=label is None and draw(st.booleans()),
                    problem=None,
                    deleted=draw(st.booleans()) if edit else False,
                    created_at=START,
                    updated_at=START + timedelta(seconds=10 * number + edit),
                )
            )
    return versions


def vote(person: str, label: str | None, number: int = 1, **more: object) -> Annotation:
    return replace(
        Annotation(
            external_id=str(number),
            task_id=1,
            item_id=1,
            annotator=person,
            label=label,
            created_at=START,
            updated_at=START + timedelta(seconds=number),
        ),
        **more,  # type: ignore[arg-type]
    )


@given(histories(), st.integers(0, 1000))
def test_the_order_of_arrival_does_not_matter(versions: list[Annotation], seed: int) -> None:
    shuffled = random.Random(seed).sample(versions, len(versions))
    assert majority(shuffled) == majority(versions)
    assert task_state(shuffled, 2) == task_state(versions, 2)


@given(histories())
def test_seeing_a_version_twice_changes_nothing(versions: list[Annotation]) -> None:
    assert majority(versions + versions) == majority(versions)


@given(histories())
def test_votes_are_current_valid_and_one_a_person(versions: list[Annotation]) -> None:
    votes = usable(versions)
    assert len({v.annotator for v in votes}) == len(votes)
    assert all(v.label is not None and not v.skipped and not v.deleted for v in votes)
    assert {v.external_id for v in votes} <= {v.external_id for v in current(versions)}


@given(histories())
def test_a_label_has_more_votes_than_any_other_and_its_share_is_its_confidence(
    versions: list[Annotation],
) -> None:
    found = majority(versions)
    labels = [v.label for v in usable(versions)]
    if found.status is LabelStatus.AGREED:
        assert all(labels.count(found.value) > labels.count(other) for other in set(labels) - {found.value})
        assert found.confidence == labels.count(found.value) / len(labels)
    else:
        assert found.value is None


@pytest.mark.parametrize(
    ("votes", "value", "status"),
    [
        ([], None, LabelStatus.WITHDRAWN),
        ([vote("ada", "a")], "a", LabelStatus.AGREED),
        ([vote("ada", "a"), vote("ben", "b", 2)], None, LabelStatus.CONFLICT),
        ([vote("ada", "a"), vote("ben", "b", 2), vote("eve", "a", 3)], "a", LabelStatus.AGREED),
        ([vote("ada", "a"), vote("ada", "b", 2)], "b", LabelStatus.AGREED),
        ([vote("ada", "a", skipped=True)], None, LabelStatus.WITHDRAWN),
        ([vote("ada", "a", problem="unknown-label")], None, LabelStatus.WITHDRAWN),
        ([vote("ada", "a"), vote("ada", "a", deleted=True)], None, LabelStatus.WITHDRAWN),
    ],
)
def test_known_cases(votes: list[Annotation], value: str | None, status: LabelStatus) -> None:
    assert majority(votes)[:2] == (value, status)


@pytest.mark.parametrize(
    ("votes", "overlap", "state"),
    [
        ([], 1, TaskState.OPEN),
        ([vote("ada", "a")], 1, TaskState.LABELED),
        ([vote("ada", "a")], 2, TaskState.OPEN),
        ([vote("ada", None, skipped=True)], 1, TaskState.SKIPPED),
        ([vote("ada", None, skipped=True), vote("ben", "a", 2)], 1, TaskState.LABELED),
        ([vote("ada", None, problem="empty")], 1, TaskState.INVALID),
        ([vote("ada", None, problem="empty"), vote("ben", "a", 2)], 1, TaskState.LABELED),
    ],
)
def test_states_of_a_task(votes: list[Annotation], overlap: int, state: TaskState) -> None:
    assert task_state(votes, overlap) is state
