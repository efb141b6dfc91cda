"""What people do in the dashboard: which acts there are, for whom, and how each is carried out.

What a worker would do by itself (start a round, go on with one, bring answers in) is handed to it where one
looks after the project: the work is done on the machine that was chosen for it. All else, and all of it where
no worker lives, is an errand: a process of its own on the dashboard's machine. Either way the lease of the
round and its one place in the database decide, not the dashboard: nothing is done twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from workbench.domain.decisions import refuse_wish
from workbench.domain.rounds import RoundState
from workbench.domain.schedule import ScheduleState
from workbench.reports.now_page import SILENT_SECONDS, Now, looked_after, turn_of
from workbench.storage.store import Store, Transaction
from workbench.web.errands import Errands
from workbench.web.refusals import Conflict, Wrong
from workbench.web.security.texts import storable
from workbench.web.site import Place

ASKED = "asked"
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that can be done.

    Attributes:
        name: In addresses.
        title: On its button.
        sentence: What comes of it.
        confirm: The question of its page, where it can not be taken back.
        worker: A worker does it by itself.
        asks: It has a page of its own that asks for more.
    """

    name: str
    title: str
    sentence: str
    confirm: str | None = None
    worker: bool = False
    asks: bool = False

    @property
    def danger(self) -> bool:
        """Whether it is asked for twice."""
        return self.confirm is not None


class Wish(NamedTuple):
    """What somebody wants done.

    Attributes:
        seen: The turn that the page was made in; None takes the project as it is.
        batch: How many items a round is to have.
    """

    act: Act
    actor: str
    seen: str | None = None
    batch: int | None = None
    reason: str = ""


ACTS: Mapping[str, Act] = {
    act.name: act
    for act in (
        Act(
            name="start",
            title="Start a round",
            sentence="Scores the pool, chooses a batch and brings it to the annotators.",
            worker=True,
            asks=True,
        ),
        Act(
            name="resume",
            title="Go on",
            sentence="Goes on with the round from where it stopped.",
            worker=True,
        ),
        Act(
            name="tell",
            title="Bring answers in",
            sentence="Reads what annotators did; when all is answered, the round is closed.",
            worker=True,
        ),
        Act(
            name="close",
            title="Close with what is there",
            sentence="Trains on the answers that are there and closes the round.",
            confirm="Close this round with the answers that are there? Nobody waits for the others.",
        ),
        Act(
            name="cancel",
            title="Give the round up",
            sentence="Unanswered items go back to the pool; answers that exist stay.",
            confirm="Give this round up? Its unanswered items go back to the pool. Answers that exist stay.",
        ),
        Act(
            name="reconcile",
            title="Compare with the labeler",
            sentence="Looks at every task there, brings what is missing and mends what needs no person.",
        ),
        Act(
            name="pause", title="Pause", sentence="No further round starts until somebody resumes.", asks=True
        ),
        Act(name="go-on", title="Resume the schedule", sentence="Rounds start by themselves again."),
    )
}
#: Done at once, in the dashboard's own process: a few rows.
AT_ONCE = frozenset({"pause", "go-on"})


def possible(now: Now) -> list[Act]:
    """What can be done as things stand."""
    if now.number is None:
        names = ["start"]
    elif not now.open:
        names = ["start", "reconcile"]
    elif now.state is RoundState.LABELING:
        names = ["tell", "close", "cancel", "reconcile"]
    elif now.stands_still:
        names = ["resume", "cancel"] if now.cancellable else ["resume"]
    else:
        names = []
    if now.schedule is not None:
        names.append("pause" if now.schedule is ScheduleState.ACTIVE else "go-on")
    return [ACTS[name] for name in names]


def do(place: Place, errands: Errands, wish: Wish) -> str:
    """Have it done, or handed on; gives what happens now, in words. The audit trail says who asked.

    Raises:
        Conflict: The project has moved on since the page was made, or can only be read here.
        WorkbenchError: It can not be done as things stand.
    """
    if place.fault:
        raise Conflict(f"Nothing can be done while workbench.toml can not be read. {place.fault}")
    if place.config is None or place.settings is None:
        raise Conflict(
            "This project's workbench.toml is not among those that the dashboard was started with, so it can "
            "only be read here. Start `workbench serve` with that file too."
        )
    with errands.alone(place, wish.act.title, wish.actor) as errand:
        with Store(place.store.engine, actor=wish.actor).begin() as tx:
            tx.projects.lock(place.project.id)
            words = _at_once(tx, place, wish)
            if words is None:
                # Said before it begins: whoever reads the trail knows who asked, whatever becomes of it.
                tx.results.note(place.project.id, ASKED, wish.act.title)
        if words is not None:
            errands.noted(place, errand, words)
            return words
        wanted = {"act": wish.act.name, "config": str(place.config), "actor": wish.actor, "batch": wish.batch}
        errands.start(place, errand, wanted)
    return f"{wish.act.title}: it is under way."


def _at_once(tx: Transaction, place: Place, wish: Wish) -> str | None:
    """Do it in this transaction, by oneself or by a worker; None where it takes an errand."""
    newest, schedule = tx.rounds.newest(place.project.id), tx.schedules.get(place.project.id)
    turn = turn_of(newest, schedule)
    if wish.seen is not None and wish.seen != turn:
        raise Conflict(
            "The project has moved on since your page was made, so nothing was done. Look at it again; if it "
            "is still what you want, ask once more."
        )
    if wish.act.name in AT_ONCE:
        return DIRECT[wish.act.name](tx, place, wish)
    living = [found for found in tx.workers.all() if found.silent_seconds <= SILENT_SECONDS]
    if wish.act.worker and wish.batch is None and looked_after(schedule, living, tx.now):
        return _hand_over(tx, place, wish)
    return None


def _hand_over(tx: Transaction, place: Place, wish: Wish) -> str:
    project_id = place.project.id
    if wish.act.name == "start":
        refuse_wish(tx.schedules.ensure(project_id), tx.rounds.unfinished(project_id))
        tx.schedules.want(project_id)
        tx.results.note(project_id, "schedule-wanted", "A round out of turn was asked for")
    else:
        tx.schedules.try_again(project_id)
        tx.schedules.look_at(project_id, tx.now)
        tx.results.note(project_id, ASKED, f"{wish.act.title}, by the worker")
    return f"{wish.act.title}: the worker that looks after this project does it with its next look."


def _pause(tx: Transaction, place: Place, wish: Wish) -> str:
    reason = " ".join(wish.reason.split())
    if not storable(reason):
        raise Wrong("The reason holds a zero byte, or half a letter. Write it as plain text.")
    if not reason:
        raise Wrong("A pause needs a reason, for whoever wonders why nothing starts.")
    if len(reason) > LONGEST_REASON:
        raise Wrong(f"The reason has {len(reason)} letters; expected {LONGEST_REASON} at most.")
    tx.schedules.ensure(place.project.id)
    tx.schedules.pause(place.project.id, reason)
    tx.results.note(place.project.id, "schedule-paused", f"The schedule was paused: {reason}")
    return "The schedule is paused; an open round goes on to its end."


def _go_on(tx: Transaction, place: Place, _wish: Wish) -> str:
    tx.schedules.ensure(place.project.id)
    tx.schedules.resume(place.project.id)
    tx.results.note(place.project.id, "schedule-resumed", "The schedule was resumed")
    return "The schedule goes on. If what stopped it is as it was, it stops again and says so."


DIRECT: Mapping[str, Callable[[Transaction, Place, Wish], str]] = {"pause": _pause, "go-on": _go_on}
