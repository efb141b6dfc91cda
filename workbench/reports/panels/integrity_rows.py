"""What was checked, with what it was made, and what happened: the rows of tables about integrity."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from workbench.domain.reconcile import DIAGNOSTIC
from workbench.domain.records import LabelStatus, TaskState
from workbench.domain.rounds import RoundState
from workbench.reports.panel import Tone
from workbench.reports.units import Count, ItemKey, Person, RoundNumber, Time, Unit
from workbench.reports.words import count, in_words, plain
from workbench.storage.diary import Wanted
from workbench.storage.facts.facts import Facts

OK, WRONG, UNKNOWN, OPEN = "in order", "not in order", "not known", "open"
ENVIRONMENT = "environment"
#: Rows of a list that somebody goes through.
MOST_EVENTS, MOST_MATTERS = 100, 200
#: After so long a comparison with the labeler says little of today.
STALE = timedelta(days=7)
_OPEN = (TaskState.PENDING, TaskState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was checked: how many were ``found`` where ``expected`` are meant to be."""

    check: str
    found: Count | None
    expected: Count
    state: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """One fact about what the newest closed round was made with: a version, a seed, a hash."""

    name: str
    value: str
    round: RoundNumber | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """How many there are of something."""

    noun: str
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of the audit trail."""

    id: Count
    at: Time
    kind: str
    round: RoundNumber | None
    message: str
    actor: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterRow:
    """One item and what is the matter with it."""

    item: ItemKey
    matter: str
    annotator: Person


def check_rows(facts: Facts) -> list[Row]:
    """Every check, the gravest first."""
    return [
        _none(
            "held-out items that were chosen or labeled",
            facts.integrity.held_out_and_chosen(),
            "No model learnt from what it is measured on.",
            "A model may have learnt from what it is measured on: its metrics are too good.",
        ),
        _none(
            "held-out or gold items with an exact copy in the pool",
            facts.integrity.copies_across_splits(),
            "No content is both learnt from and measured on.",
            "The same content is learnt from and measured on. Take the copies out: `workbench pool remove`.",
        ),
        _reconciled(facts),
        _failed(facts),
        _intents(facts),
    ]


def environment_rows(facts: Facts) -> list[EnvironmentRow]:
    """What the newest closed round was made with; pool files, and the moment of this report."""
    found = facts.diagnostics.newest(ENVIRONMENT)
    shards = facts.integrity.shards()
    # To the microsecond: `workbench report --as-of` with it gives this very report.
    own = [("as of", facts.at.astimezone(UTC).isoformat()), ("project's seed", str(facts.project.seed))]
    files = [(f"pool file {shard.number}, sha256 of {shard.rows} rows", shard.sha256) for shard in shards]
    said = {} if found is None else found.content
    return [
        *(EnvironmentRow(name=name, value=value, round=None) for name, value in own),
        *(
            EnvironmentRow(
                name=plain(name.replace("_", " ")),
                value=_said(value),
                round=found.round_number if found else None,
            )
            for name, value in said.items()
            if name != "seed"
        ),
        *(EnvironmentRow(name=name, value=value, round=None) for name, value in files),
    ]


def count_rows(facts: Facts) -> list[CountRow]:
    """One row a noun."""
    return [CountRow(noun=noun, n=n) for noun, n in facts.integrity.counts().items()]


def event_rows(facts: Facts) -> list[EventRow]:
    """The newest events, newest first."""
    events = facts.trail.events(Wanted(limit=MOST_EVENTS))
    return [
        EventRow(
            id=event.id,
            at=event.at,
            kind=event.kind,
            round=event.round_number,
            message=event.message,
            actor=event.actor,
        )
        for event in reversed(events)
    ]


def matter_rows(facts: Facts) -> list[MatterRow]:
    """Conflicts and withdrawn labels first, then annotations that were kept but can not count."""
    labels = facts.labels.unsettled(MOST_MATTERS)
    matters = [MatterRow(item=label.item_key, matter=_matter(label.status), annotator="") for label in labels]
    invalid = [
        MatterRow(
            item=found.item,
            matter=f"answer kept, but not a label: {found.problem}",
            annotator=facts.names(found.annotator),
        )
        for found in facts.integrity.invalid()
    ]
    return [*matters, *invalid][:MOST_MATTERS]


def tone_of(row: Row) -> Tone:
    """How a check is meant."""
    return {OK: Tone.GOOD, WRONG: Tone.BAD, UNKNOWN: Tone.UNKNOWN}.get(row.state, Tone.NEUTRAL)


def _none(check: str, found: int, good: str, bad: str) -> Row:
    state = WRONG if found else OK
    return Row(check=check, found=found, expected=0, state=state, words=bad if found else good)


def _reconciled(facts: Facts) -> Row:
    check = "difference between database and labeler"
    found = facts.diagnostics.newest(DIAGNOSTIC)
    if found is None:
        words = "Never compared. Type `workbench reconcile`."
        return Row(check=check, found=None, expected=0, state=UNKNOWN, words=words)
    difference = int(found.content["difference"])
    when = in_words(found.at, Unit.TIME)
    compared = (
        f"{count(found.content['tasks_here'], 'task')} here, {found.content['tasks_there']} at the labeler"
    )
    words = f"Compared on {when}: {compared}."
    if found.content.get("round") is not None:
        words += f" Only round {found.content['round']}."
    if difference:
        words += " Type `workbench reconcile --fix`."
    elif facts.at - found.at > STALE:
        words += " That was a while ago: type `workbench reconcile`."
    return Row(check=check, found=difference, expected=0, state=WRONG if difference else OK, words=words)


def _failed(facts: Facts) -> Row:
    failed = [found for found in facts.rounds.all() if found.state is RoundState.FAILED]
    words = "No round has failed."
    if failed:
        error = plain(facts.words(failed[-1].error or "")) or "no reason was kept"
        words = f"Round {failed[-1].number} has failed: {error} Type `workbench round resume`."
    state = WRONG if failed else OK
    return Row(check="rounds that have failed", found=len(failed), expected=0, state=state, words=words)


def _intents(facts: Facts) -> Row:
    states = facts.rounds.tasks_by_state.values()
    waiting = sum(found.get(state, 0) for found in states for state in _OPEN)
    words = "Everything that was meant for the labeler is there."
    if waiting:
        words = "Meant to be sent, or to be taken back, and not yet done. Type `workbench round resume`."
    state = OPEN if waiting else OK
    return Row(check="tasks on their way", found=waiting, expected=0, state=state, words=words)


def _matter(status: LabelStatus) -> str:
    return "annotators disagree" if status is LabelStatus.CONFLICT else "its label was taken back"


def _said(value: Any) -> str:
    return "none" if value is None else plain(str(value))
