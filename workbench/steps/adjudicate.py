"""Conflicts that nobody's further opinion will settle go to a queue of their own, where somebody rules.

The queue is a project of its own at the labeler: each task shows the item and what was answered so far,
without names. It is stored like the ordinary one, under the labeler's name with an ending. What is ruled
there comes in by the ordinary pull and stands above all opinions until the adjudicator takes it back.
"""

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from connectors.errors import OutcomeUnknown
from connectors.labelers.protocol import Labeler
from connectors.labelers.records import OutgoingTask, Prediction, TaskId
from workbench.domain.adjudication import opinions, queue_name
from workbench.domain.budget import Promise, fits
from workbench.domain.consensus import usable
from workbench.domain.records import Annotation, Label, LabelerLink, LabelStatus, Task, TaskState
from workbench.domain.redundancy import in_doubt, is_exhausted
from workbench.domain.rounds import Round
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.push import LOOK_AGAIN_SECONDS, content_of, project_spec, share_folders
from workbench.steps.redundancy import redundancy_of
from workbench.steps.terms import caps_in_force
from workbench.steps.tidy import kept
from workbench.storage.store import Transaction

TITLE = "adjudication"
TITLE_LENGTH = 50
AT_ONCE = 250
WAITING = frozenset({TaskState.PENDING, TaskState.OPEN, TaskState.INVALID})
#: Was queued, and may be queued again.
TAKEN_BACK = frozenset({TaskState.CANCELLED, TaskState.WITHDRAWN})


class _Named:
    """A labeler under another name; all that it does it does as itself."""

    def __init__(self, labeler: Labeler, name: str) -> None:
        self._labeler = labeler
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._labeler, attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How the adjudication queue stands."""

    waiting: int
    ruled: int
    #: Labels in doubt that are in no queue.
    elsewhere: int
    url: str | None


def queue_parts(parts: Parts) -> Parts:
    """The same project with the adjudication queue in place of the ordinary one."""
    named = _Named(parts.labeler, queue_name(parts.labeler.name))
    return replace(parts, labeler=cast("Labeler", named))


def queue_title(project: str) -> str:
    """The queue's title at the labeler: a long name is cut, and told from others by its hash."""
    title = f"{project} {TITLE}"
    if len(title) <= TITLE_LENGTH:
        return title
    mark = hashlib.sha256(project.encode()).hexdigest()[:6]
    return f"{project[:30].rstrip()} {mark} {TITLE}"


def adjudicate(parts: Parts) -> None:
    """Queue what somebody has to rule on, as far as the budget goes, and bring it to the labeler, once.

    Raises:
        LabelerError: The labeler is away; what is queued is brought the next time.
    """
    if not parts.config.annotators.adjudication:
        return
    queue = queue_parts(parts)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        chosen = _affordable(parts, tx, _exhausted(parts, tx, queue.labeler.name))
        tx.wanted.queue(queue.labeler.name, [task for task, _ in chosen])
        if chosen:
            words = f"{len(chosen)} items in doubt were put into the adjudication queue"
            tx.results.note(parts.project.id, "adjudication", words)
        waiting = [t for t in tx.wanted.in_queue(parts.project.id, queue.labeler.name) if t.state in WAITING]
        rounds = {current.id: current for current in tx.rounds.all(parts.project.id)}
    if waiting:
        with answering(queue):
            _bring_all(queue, waiting, rounds)


def queue_state(parts: Parts) -> Queue:
    """How many rulings are waited for, and where."""
    name = queue_name(parts.labeler.name)
    with parts.store.read() as tx:
        tasks = tx.wanted.in_queue(parts.project.id, name)
        link = tx.projects.link(parts.project.id, name)
        labels = tx.annotations.labels(parts.project.id)
    states = Counter(task.state for task in tasks)
    queued = {task.item_id for task in tasks if task.state not in (*TAKEN_BACK, TaskState.GONE)}
    policy = parts.config.annotators
    doubts = [label for label in labels if in_doubt(label, policy.min_confidence)]
    return Queue(
        waiting=sum(states[state] for state in WAITING),
        ruled=states[TaskState.LABELED],
        elsewhere=sum(label.item_id not in queued for label in doubts),
        url=link.url if link and link.url else None,
    )


def _exhausted(parts: Parts, tx: Transaction, queue: str) -> list[tuple[Task, Label]]:
    """The answered tasks whose label is in doubt for good, and the label; oldest first."""
    there = tx.wanted.in_queue(parts.project.id, queue)
    queued = {task.item_id for task in there if task.state not in TAKEN_BACK}
    tasks = [t for t in tx.wanted.answered_tasks(parts.project.id) if t.item_id not in queued]
    labels = tx.annotations.label_of(task.item_id for task in tasks)
    policy = redundancy_of(parts)
    doubtful = [t for t in tasks if in_doubt(labels.get(t.item_id), policy.min_confidence)]
    annotations = tx.annotations.brief_of_items(task.item_id for task in doubtful)
    current = tx.rounds.unfinished(parts.project.id)
    found = []
    for task in doubtful:
        of_item = len(usable(opinions(annotations.get(task.item_id, []))))
        over = current is None or task.round_id != current.id
        if over or is_exhausted(policy, labels[task.item_id], of_item=of_item):
            found.append((task, labels[task.item_id]))
    return found


def _affordable(parts: Parts, tx: Transaction, found: list[tuple[Task, Label]]) -> list[tuple[Task, Label]]:
    promised = tx.wanted.promised(parts.project.id, parts.config.labeler.overlap)
    spent = tx.results.spending(parts.project.id)
    caps, prices = caps_in_force(tx, parts.project, parts.config), parts.config.budget.prices
    kept = []
    for task, label in found:
        total = promised.plus(Promise(int(label.status is not LabelStatus.AGREED), 1))
        if fits(total, spent=spent, caps=caps, prices=prices):
            kept.append((task, label))
            promised = total
    return kept


def _bring_all(queue: Parts, waiting: Sequence[Task], rounds: Mapping[int, Round]) -> None:
    link = open_queue(queue)
    by_round: dict[int, list[Task]] = defaultdict(list)
    for task in waiting:
        by_round[task.round_id].append(task)
    for round_id, tasks in by_round.items():
        for start in range(0, len(tasks), AT_ONCE):
            _bring(queue, link, rounds[round_id], tasks[start : start + AT_ONCE])


def open_queue(queue: Parts, *, anew: bool = False) -> LabelerLink:
    """Find or make the queue's project; ``anew`` if the one that was known is gone."""
    with queue.store.read() as tx:
        known = tx.projects.link(queue.project.id, queue.labeler.name)
    spec = replace(
        project_spec(queue, known.external_id if known and not anew else None),
        title=queue_title(queue.project.name),
        overlap=1,
        show_predictions=False,
        notes=True,
    )
    remote = queue.labeler.open_project(spec)
    link = LabelerLink(labeler=queue.labeler.name, external_id=remote.project_id, url=remote.url)
    if queue.config.labeler.pictures == "local-files":
        share_folders(queue, link)
    if known is None or (known.external_id, known.url) != (link.external_id, link.url):
        with queue.store.begin() as tx:
            tx.projects.save_link(queue.project.id, link)
    return link


def _bring(queue: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task]) -> None:
    """Send what is not there. Without a lease: a second copy by another process is removed the next time."""
    for pause in (*LOOK_AGAIN_SECONDS, None):
        missing = _look(queue, link, current, tasks)
        if not missing:
            return
        try:
            sent = queue.labeler.send_tasks(link.external_id, _outgoing(queue, current, missing))
        except OutcomeUnknown:
            if pause is None:
                raise
            time.sleep(pause)
        else:
            _remember(queue, missing, sent)
            return


def _look(queue: Parts, link: LabelerLink, current: Round, tasks: Sequence[Task]) -> list[Task]:
    """Note what is there and what was deleted, remove untouched second copies; gives what was never sent."""
    keys = [task.item_key for task in tasks]
    there = queue.labeler.find_tasks(link.external_id, queue.round_key(current), keys)
    _remember(queue, tasks, there)
    copies: dict[str, list[TaskId]] = defaultdict(list)
    for found in there:
        copies[found.item_key].append(found)
    stay = {kept(task, copies[task.item_key]) for task in tasks if copies[task.item_key]}
    extra = [found.task_id for found in there if found.task_id not in stay and not found.annotated]
    if extra:
        queue.labeler.delete_tasks(link.external_id, extra)
    gone = {t.id for t in tasks if not copies[t.item_key] and t.state is not TaskState.PENDING}
    if gone:
        with queue.store.begin() as tx:
            tx.tasks.set_states(dict.fromkeys(gone, TaskState.GONE))
            words = f"{len(gone)} items that waited for a ruling were deleted at the labeler"
            tx.results.note(queue.project.id, "tasks-gone", words, round_id=current.id)
    return [t for t in tasks if not copies[t.item_key] and t.state is TaskState.PENDING]


def _remember(queue: Parts, tasks: Sequence[Task], there: Sequence[TaskId]) -> None:
    ids = {found.item_key: found.task_id for found in reversed(there)}
    pending = [task for task in tasks if task.state is TaskState.PENDING]
    known = {task.id: ids[task.item_key] for task in pending if task.item_key in ids}
    if known:
        with queue.store.begin() as tx:
            tx.tasks.sent(known)


def _outgoing(queue: Parts, current: Round, tasks: Sequence[Task]) -> list[OutgoingTask]:
    with queue.store.read() as tx:
        items = tx.pool.by_key(queue.project.id, [task.item_key for task in tasks])
        annotations = tx.annotations.brief_of_items(task.item_id for task in tasks)
    return [
        OutgoingTask(
            item_key=task.item_key,
            round_key=queue.round_key(current),
            content=content_of(queue, items[task.item_key]),
            # No answer is suggested; the oldest conflict comes first.
            prediction=Prediction(label=None, score=float(task.id), model_version=TITLE),
            note=answers_in_words(annotations.get(task.item_id, []), queue.project.classes),
        )
        for task in tasks
    ]


def answers_in_words(annotations: Sequence[Annotation], classes: Sequence[str]) -> str:
    """What was answered so far, without names: ``Answers so far: 2 x cat, 1 x dog``."""
    counts = Counter(vote.label for vote in usable(opinions(annotations)))
    said = ", ".join(f"{counts[name]} x {name}" for name in classes if counts[name])
    return f"Answers so far: {said}"
