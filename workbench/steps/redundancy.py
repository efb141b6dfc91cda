"""One more opinion where an item's label is in doubt, while its round is being labeled.

How many answers a task needs follows from what is there: whenever answers come or change it is worked out
again, so doing it twice asks once, and a doubt that went away asks for nothing. What is asked for is promised
from the budget in the same transaction; where the budget has no room the doubt stays.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from workbench.domain.adjudication import opinions
from workbench.domain.budget import Promise, fits
from workbench.domain.consensus import current as present
from workbench.domain.consensus import task_state, usable
from workbench.domain.records import Annotation, Label, LabelerLink, LabelStatus, Reason, Task, TaskState
from workbench.domain.redundancy import Redundancy, wanted_opinions
from workbench.domain.rounds import Round, RoundState
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.terms import caps_in_force
from workbench.storage.store import Transaction

#: Where more answers can be asked for.
AT_THE_LABELER = frozenset({TaskState.OPEN, TaskState.LABELED, TaskState.SKIPPED, TaskState.INVALID})


class Change(NamedTuple):
    """Another number of answers for a task, and what that takes from the budget."""

    task: Task
    wanted: int
    state: TaskState
    more: Promise


def redundancy_of(parts: Parts) -> Redundancy:
    """When the configuration asks for more opinions."""
    policy = parts.config.annotators
    return Redundancy(min_confidence=policy.min_confidence, max_overlap=policy.max_overlap)


def ask_for_more(parts: Parts) -> None:
    """Ask for one more opinion of each item in doubt in the open round, as far as the budget goes.

    Whatever else the labeler has to be told of how many answers are wanted, it is told.

    Raises:
        LabelerError: The labeler is away; what is asked for stands in the database and is brought later.
    """
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        current = tx.rounds.unfinished(parts.project.id)
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        if current is None or link is None or current.position is not RoundState.LABELING:
            return
        changes = _affordable(parts, tx, _changes(parts, tx, current))
        tx.wanted.ask({c.task.id: c.wanted for c in changes}, {c.task.id: c.state for c in changes})
        asked = sum(change.more.annotations for change in changes)
        if asked:
            words = f"One more opinion is asked for of {asked} items in doubt"
            tx.results.note(parts.project.id, "more-opinions", words, round_id=current.id)
    # Also when nothing has changed now: whoever was killed in between has asked, and not told.
    if _overlaps(parts, current):
        with answering(parts):
            bring_overlaps(parts, link, current)


def ask_no_more(parts: Parts, *, all_of_them: bool = False) -> None:
    """Stop asking for answers in closed rounds: for further opinions, or for all of a half-answered task.

    The labeler is told first: killed in between, the same is done again.

    Raises:
        LabelerError: The labeler is away.
    """
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        enough = _enough(parts, tx, 1 if all_of_them else parts.config.labeler.overlap)
    if link is None or not enough:
        return
    with answering(parts):
        parts.labeler.set_overlap(
            link.external_id, {str(task.external_id): given for task, given in enough.items()}
        )
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        # Read again: who answered meanwhile has answered.
        still = _enough(parts, tx, 1 if all_of_them else parts.config.labeler.overlap)
        done = {task.id: given for task, given in still.items() if enough.get(task) == given}
        tx.wanted.ask(done, dict.fromkeys(done, TaskState.LABELED))


def _enough(parts: Parts, tx: Transaction, least: int) -> dict[Task, int]:
    """Tasks of closed rounds that wait although they have so many answers, with how many they have."""
    waiting = tx.wanted.half_answered(parts.project.id)
    annotations = tx.annotations.brief_of_items({task.item_id for task in waiting})
    given = {
        task: len(usable(a for a in annotations.get(task.item_id, []) if a.task_id == task.id))
        for task in waiting
    }
    return {task: count for task, count in given.items() if count >= least}


def bring_overlaps(parts: Parts, link: LabelerLink, current: Round) -> None:
    """Tell the labeler which tasks of a round need another number of answers than the project's.

    Of those that somebody answered twice it is told again: it may take that for two people.
    """
    overlaps = _overlaps(parts, current)
    if overlaps:
        parts.labeler.set_overlap(link.external_id, overlaps)


def _overlaps(parts: Parts, current: Round) -> dict[str, int]:
    of_project = parts.config.labeler.overlap
    with parts.store.read() as tx:
        tasks = [task for task in tx.tasks.of_round(current.id) if task.state in AT_THE_LABELER]
        usual = [t for t in tasks if t.overlap is None and t.state is TaskState.OPEN and of_project > 1]
        annotations = tx.annotations.brief_of_items(task.item_id for task in usual)
    twice = {task.id for task in usual if _somebody_twice(task, annotations.get(task.item_id, ()))}
    return {
        task.external_id: of_project if task.overlap is None else task.overlap
        for task in tasks
        if task.external_id and (task.overlap is not None or task.id in twice)
    }


def _somebody_twice(task: Task, annotations: Sequence[Annotation]) -> bool:
    own = present(a for a in annotations if a.task_id == task.id)
    people = [annotation.annotator for annotation in own if not annotation.skipped]
    return len(set(people)) < len(people)


def _changes(parts: Parts, tx: Transaction, current: Round) -> Iterator[Change]:
    """In the order of choice: where the budget ends, the most wanted items come first."""
    reasons = {s.item_key: s.reason for s in tx.tasks.selections(current.id)}
    tasks = [t for t in tx.tasks.of_round(current.id) if reasons[t.item_key] is not Reason.GOLD]
    if not redundancy_of(parts).adapts:
        # Switched off meanwhile: what was asked for is asked for no longer.
        tasks = [task for task in tasks if task.overlap is not None]
    labels = tx.annotations.label_of(task.item_id for task in tasks)
    annotations = tx.annotations.brief_of_items({task.item_id for task in tasks})
    for task in tasks:
        if task.state in AT_THE_LABELER:
            asked = 1 if reasons[task.item_key] is Reason.RELABEL else parts.config.labeler.overlap
            found = annotations.get(task.item_id, [])
            change = _change(parts, task, asked, labels.get(task.item_id), found)
            if change.wanted != (asked if task.overlap is None else task.overlap):
                yield change


def _change(
    parts: Parts, task: Task, asked: int, label: Label | None, annotations: Sequence[Annotation]
) -> Change:
    own = [a for a in annotations if a.task_id == task.id]
    given = len(usable(own))
    of_item = len(usable(opinions(annotations)))
    wanted = wanted_opinions(redundancy_of(parts), label, asked=asked, given=given, of_item=of_item)
    buys = label is None or label.status is not LabelStatus.AGREED
    # A task that still waits has its answers promised already.
    more = wanted - given if task.state is TaskState.LABELED else 0
    return Change(task, wanted, task_state(own, wanted), Promise(int(buys and more > 0), more))


def _affordable(parts: Parts, tx: Transaction, changes: Iterator[Change]) -> list[Change]:
    promised = tx.wanted.promised(parts.project.id, parts.config.labeler.overlap)
    spent = tx.results.spending(parts.project.id)
    caps, prices = caps_in_force(tx, parts.project, parts.config), parts.config.budget.prices
    kept = []
    for change in changes:
        total = promised.plus(change.more)
        if not change.more.annotations or fits(total, spent=spent, caps=caps, prices=prices):
            kept.append(change)
            promised = total
    return kept
