"""Laws of further opinions: never more than allowed, none without doubt, and always settled in the end."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.records import Label, LabelStatus
from workbench.domain.redundancy import Redundancy, in_doubt, is_exhausted, wanted_opinions

policies = st.builds(Redundancy, min_confidence=st.floats(0, 1), max_overlap=st.integers(1, 6))
statuses = st.sampled_from(list(LabelStatus))


def label(status: LabelStatus, confidence: float) -> Label:
    return Label(
        item_id=1,
        item_key="a",
        revision=1,
        value="cat" if status is LabelStatus.AGREED else None,
        status=status,
        confidence=confidence,
        method="majority",
        annotations=(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


labels = st.none() | st.builds(label, statuses, st.floats(0, 1))


@given(policies, labels, st.integers(1, 4), st.integers(0, 8), st.integers(0, 4))
def test_a_task_is_never_asked_beyond_what_its_item_may_have(
    policy: Redundancy, found: Label | None, asked: int, answers: int, elsewhere: int
) -> None:
    wanted = wanted_opinions(policy, found, asked=asked, given=answers, of_item=answers + elsewhere)
    assert wanted <= max(asked, answers, policy.max_overlap - elsewhere)
    assert wanted >= asked
    assert wanted - answers <= 1 or answers < asked


@given(policies, labels, st.integers(1, 4), st.integers(0, 8))
def test_a_label_without_doubt_asks_for_no_more(
    policy: Redundancy, found: Label | None, asked: int, answers: int
) -> None:
    wanted = wanted_opinions(policy, found, asked=asked, given=answers, of_item=answers)
    if not in_doubt(found, policy.min_confidence) or policy.min_confidence == 0:
        assert wanted <= max(asked, answers)


@given(policies, labels, st.integers(1, 4), st.integers(0, 8))
def test_what_is_in_doubt_is_asked_again_or_ruled_on_and_never_both(
    policy: Redundancy, found: Label | None, asked: int, answers: int
) -> None:
    if answers < asked or not in_doubt(found, policy.min_confidence):
        return
    more = wanted_opinions(policy, found, asked=asked, given=answers, of_item=answers) > max(asked, answers)
    assert more != is_exhausted(policy, found, of_item=answers)


def test_a_conflict_is_a_doubt_whatever_its_confidence_and_nothing_said_is_none() -> None:
    assert in_doubt(label(LabelStatus.CONFLICT, 1.0), 0.0)
    assert not in_doubt(label(LabelStatus.WITHDRAWN, 0.0), 1.0)
    assert not in_doubt(None, 1.0)
