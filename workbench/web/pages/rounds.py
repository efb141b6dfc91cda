"""Rounds: the list, and everything about one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from starlette.responses import HTMLResponse

from workbench.domain.records import Annotation, Event, Label, Selection, TaskState
from workbench.domain.rounds import ORDER, RoundState
from workbench.storage.diary import Wanted
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundThen
from workbench.storage.facts.visits import Move, Pick
from workbench.web.desk import DeskHere
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.previews import Preview, preview
from workbench.web.readings import asked_for
from workbench.web.refusals import NotHere
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere

router = APIRouter(include_in_schema=False)
PAGE = 50
MOST_EVENTS = 100

RoundInPath = Annotated[int, InPath(ge=0, le=2_000_000_000, description="The round's number.")]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000, description="Which page, from 1.")]


class Step(NamedTuple):
    """A state on the way of a round."""

    state: RoundState
    #: ``done``, ``now``, ``failed`` or ``ahead``.
    standing: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """A round in the list."""

    round: RoundThen
    labeled: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsPage:
    """Every round, newest first."""

    template: ClassVar[str] = "rounds.html"

    frame: Frame
    head: Head
    rows: tuple[RoundRow, ...]


class Answer(NamedTuple):
    """What somebody said of an item, in words."""

    who: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PickRow:
    """A pick with its item and what came of it."""

    selection: Selection
    preview: Preview
    task: TaskState | None
    label: Label | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPage:
    """One round."""

    template: ClassVar[str] = "round.html"

    frame: Frame
    head: Head
    round: RoundThen
    steps: tuple[Step, ...]
    states: tuple[tuple[TaskState, int], ...]
    picks: tuple[PickRow, ...]
    total: int
    page: int
    pages: int
    events: tuple[Event, ...]
    before: int | None
    after: int | None


@router.get("/projects/{slug}/rounds")
def rounds(place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere) -> HTMLResponse:
    """Every round, newest first."""

    def read() -> tuple[RoundRow, ...]:
        names = visitor.names(place.store, place.project)
        with place.store.read() as tx:
            return round_rows(tx.facts(place.project, at, names))

    asked = asked_for(visitor, place.store, place.project, "rounds", at=at)
    rows = desk.readings.once(asked, place.store, read)
    frame = frame_of(place, visitor, "rounds", "Rounds")
    return Renderer().page(RoundsPage(frame=frame, head=head_of(place, at), rows=rows))


def round_rows(facts: Facts) -> tuple[RoundRow, ...]:
    """The rounds with how far their tasks are."""
    states = facts.rounds.tasks_by_state
    return tuple(
        RoundRow(
            round=found,
            labeled=states.get(found.id, {}).get(TaskState.LABELED, 0),
            tasks=sum(states.get(found.id, {}).values()),
        )
        for found in reversed(facts.rounds.all())
    )


@router.get("/projects/{slug}/rounds/{number}")
def round_page(
    place: ProjectHere, visitor: ViewerHere, at: MomentHere, number: RoundInPath, page: PageNumber = 1
) -> HTMLResponse:
    """One round: how far it is, what it picked, what people said, what happened."""
    names = visitor.names(place.store, place.project)
    with place.store.read() as tx:
        facts = tx.facts(place.project, at, names)
        every = facts.rounds.all()
        found = find(every, number)
        states = facts.visits.states(found.id)
        picks = facts.visits.picks(found.id, offset=(page - 1) * PAGE, limit=PAGE)
        answers = facts.visits.answers(pick.item.id for pick in picks)
        total = facts.visits.count(found.id)
        context = RoundPage(
            frame=frame_of(place, visitor, "rounds", f"Round {number}"),
            head=head_of(place, at),
            round=found,
            steps=steps_of(found, facts.visits.moves(found.id)),
            states=tuple(states.items()),
            picks=tuple(_row(place.slug, facts, pick, answers.get(pick.item.id, [])) for pick in picks),
            total=total,
            page=page,
            pages=max(1, -(-total // PAGE)),
            events=tuple(reversed(facts.trail.events(Wanted(round_id=found.id, limit=MOST_EVENTS)))),
            before=_neighbour(every, found, -1),
            after=_neighbour(every, found, 1),
        )
    return Renderer().page(context)


def find(rounds: Sequence[RoundThen], number: int) -> RoundThen:
    """A round by its number.

    Raises:
        NotHere: There was none of that number at that moment.
    """
    for found in rounds:
        if found.number == number:
            return found
    there = f"The rounds are {rounds[0].number} to {rounds[-1].number}." if rounds else "There is none yet."
    raise NotHere(f"There is no round {number} here. {there}")


def steps_of(found: RoundThen, moves: Sequence[Move]) -> tuple[Step, ...]:
    """The way of a round, with where it stands."""
    reached = {move.state: move.at for move in moves}
    position = found.failed_from if found.state is RoundState.FAILED and found.failed_from else found.state
    if position not in ORDER:
        # Cancelled: as far as it had come.
        known = [state for state in ORDER if state in reached]
        position = known[-1] if known else ORDER[0]
    here = ORDER.index(position)
    over = found.state in (RoundState.CLOSED, RoundState.CANCELLED)
    return tuple(
        Step(state, _standing(place, here, found.state, over=over), reached.get(state))
        for place, state in enumerate(ORDER)
    )


def _standing(place: int, here: int, state: RoundState, *, over: bool) -> str:
    if place < here or (place == here and over):
        return "done"
    if place > here:
        return "ahead"
    return "failed" if state is RoundState.FAILED else "now"


def _row(slug: str, facts: Facts, pick: Pick, answers: Sequence[Annotation]) -> PickRow:
    newest = {answer.external_id: answer for answer in answers}
    return PickRow(
        selection=pick.selection,
        preview=preview(slug, pick.item),
        task=pick.task,
        label=pick.label,
        answers=tuple(
            Answer(facts.names(each.annotator), said(each, facts))
            for each in newest.values()
            if not each.deleted
        ),
    )


def said(annotation: Annotation, facts: Facts) -> str:
    """An answer in words."""
    if annotation.deleted:
        return "taken back"
    if annotation.skipped:
        return "skipped"
    if annotation.problem:
        return f"invalid ({facts.words(annotation.problem)})"
    return str(annotation.label)


def _neighbour(rounds: Sequence[RoundThen], found: RoundThen, step: int) -> int | None:
    place = next(place for place, each in enumerate(rounds) if each.id == found.id) + step
    return rounds[place].number if 0 <= place < len(rounds) else None
