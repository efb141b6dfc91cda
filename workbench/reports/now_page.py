"""What is going on in a project at this moment, for people who watch: the round, the work, the workers."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workbench.config.model import Config
from workbench.domain.absence import title, tried
from workbench.domain.decisions import decide
from workbench.domain.pseudonyms import Names, open_names
from workbench.domain.records import Event, Project
from workbench.domain.rounds import ORDER, Advance, Round, RoundState
from workbench.domain.schedule import Schedule, ScheduleState
from workbench.domain.workers import Worker
from workbench.steps.holders import is_gone
from workbench.steps.schedule_facts import facts_of
from workbench.steps.settle import Progress, progress_of
from workbench.steps.terms import rules_in_force
from workbench.storage.diary import Wanted
from workbench.storage.store import Transaction

#: Workers show signs of life every 20 seconds.
SILENT_SECONDS = 90.0
#: A worker that looks after a project has its next look at most so late.
LATE = timedelta(seconds=60)
NEWEST = 6
LABELING = ORDER.index(RoundState.LABELING)
NOBODY = "somebody"
#: With a folder in its place, or a name and a password in it, it is no link for a page.
ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s?#@]*)?")
STATES = {
    RoundState.PLANNED: "is being scored",
    RoundState.SCORED: "has its batch chosen now",
    RoundState.SELECTED: "is on its way to the annotators",
    RoundState.PUSHED: "is on its way to the annotators",
    RoundState.LABELING: "is with the annotators",
    RoundState.SETTLED: "is answered; the model is trained now",
    RoundState.TRAINED: "is answered; the model is measured now",
    RoundState.EVALUATED: "is about to be closed",
    RoundState.CLOSED: "is closed",
    RoundState.FAILED: "has failed",
    RoundState.CANCELLED: "was given up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """A project as it is now.

    Attributes:
        turn: Changes whenever the round or the schedule comes to another state.
        words: All of it in one sentence.
        number: Of the newest round; None before the first.
        held_by: Who works on it, while somebody who lives does.
        stands_still: The round could go on, and nobody works on it.
        cancellable: It can still be given up.
        answers: Of the round that is open.
        labeling_at: Where people label, as an address for browsers, while a batch is with them.
        schedule: Whether rounds are started by themselves; None before anybody has asked.
        next: What the schedule does next, and why.
        workers: Those that live.
        looked_after: Whether one of them looks at this project.
        away: What is known of a labeler that does not answer.
    """

    turn: str
    words: str
    number: int | None
    state: RoundState | None
    open: bool
    error: str | None
    held_by: str | None
    stands_still: bool
    cancellable: bool
    advance: Advance | None
    answers: Progress | None
    labeling_at: str | None
    schedule: ScheduleState | None
    reason: str | None
    next: str | None
    workers: tuple[str, ...]
    looked_after: bool
    away: tuple[str, ...]
    events: tuple[Event, ...]


def now_page(tx: Transaction, project: Project, config: Config | None, names: Names = open_names) -> Now:
    """The project now; without a configuration nothing is said of what is next."""
    facts = tx.facts(project, names=names)
    newest = tx.rounds.newest(project.id)
    schedule = tx.schedules.get(project.id)
    living = [found for found in tx.workers.all() if found.silent_seconds <= SILENT_SECONDS]
    is_open = newest is not None and not newest.finished
    answers = progress_of(tx, newest) if newest is not None and is_open else None
    holder = _holder(newest, tx.now)
    shown = names is open_names
    return Now(
        turn=turn_of(newest, schedule),
        words=_words(newest, answers, holder),
        number=newest.number if newest else None,
        state=newest.state if newest else None,
        open=is_open,
        error=facts.words(newest.error) if newest and newest.error else None,
        held_by=(holder if shown else NOBODY) if holder else None,
        stands_still=bool(newest and is_open and newest.state is not RoundState.LABELING and not holder),
        cancellable=bool(newest and is_open and ORDER.index(newest.position) <= LABELING),
        advance=newest.advance if newest and holder else None,
        answers=answers if answers and answers.total else None,
        labeling_at=_labeling_at(tx, project, config, newest),
        schedule=schedule.state if schedule else None,
        reason=facts.words(schedule.reason) if schedule and schedule.reason else None,
        next=facts.words(_next(tx, project, config, schedule)) if config and schedule else None,
        workers=tuple(f"{found.name if shown else 'A worker'} {found.doing or 'waits'}" for found in living),
        looked_after=looked_after(schedule, living, tx.now),
        away=tuple(
            f"{title(a.labeler)} has not answered since {a.since:%Y-%m-%d %H:%M} UTC; "
            f"it was {tried(a.attempts)}"
            for a in tx.projects.absences(project.id)
        ),
        events=tuple(facts.trail.events(Wanted(limit=NEWEST))[::-1]),
    )


def turn_of(newest: Round | None, schedule: Schedule | None) -> str:
    """Names the state that a page was made in, so that what is asked on it is asked of that state."""
    state = f"{newest.number}-{newest.state}" if newest else "none"
    return f"{state}-{schedule.state if schedule else 'unseen'}"


def looked_after(schedule: Schedule | None, living: list[Worker], now: datetime) -> bool:
    """Whether a worker that lives looks at the project: its looks come in time, or it is at work."""
    if schedule is None or not living:
        return False
    return schedule.next_look_at >= now - LATE or any(found.doing for found in living)


def _labeling_at(
    tx: Transaction, project: Project, config: Config | None, newest: Round | None
) -> str | None:
    if config is None or newest is None or newest.state is not RoundState.LABELING:
        return None
    link = tx.projects.link(project.id, config.labeler.kind)
    return link.url if link and ADDRESS.fullmatch(link.url) else None


def _holder(found: Round | None, now: datetime) -> str | None:
    if found is None or not found.lease_owner or found.lease_until is None or found.lease_until <= now:
        return None
    return None if is_gone(found.lease_owner) else found.lease_owner


def _words(newest: Round | None, answers: Progress | None, holder: str | None) -> str:
    if newest is None:
        return "No round has been started yet."
    if newest.state is RoundState.FAILED and holder:
        return f"Round {newest.number} had failed, and goes on now."
    words = f"Round {newest.number} {STATES[newest.state]}"
    if newest.state is RoundState.LABELING and answers is not None:
        words += f": {answers.answered} of {answers.total} answered"
    return f"{words}."


def _next(tx: Transaction, project: Project, config: Config, schedule: Schedule) -> str:
    rules = rules_in_force(tx, project, config.schedule.rules)
    return decide(rules, facts_of(tx, project, schedule, is_gone)).words


def as_json(now: Now) -> dict[str, Any]:
    """The same for programs."""
    told = now.advance
    progress = {"words": told.words, "done": told.done, "total": told.total} if told else None
    return {
        "turn": now.turn,
        "words": now.words,
        "round": now.number,
        "state": now.state,
        "open": now.open,
        "error": now.error,
        "held_by": now.held_by,
        "stands_still": now.stands_still,
        "progress": progress,
        "answered": now.answers.answered if now.answers else None,
        "tasks": now.answers.total if now.answers else None,
        "schedule": now.schedule,
        "next": now.next,
        "workers": len(now.workers),
        "looked_after": now.looked_after,
        "away": list(now.away),
    }
