"""Selected → pushed → labeling: bring every task to the labeler once, then have them served.

The outbox: intent is in the database already; look which tasks are there, send only the missing ones,
remember their ids. After an answer that got lost, look again; never send blindly.
"""

import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import LabelerRefused, OutcomeUnknown, SourceError
from connectors.labelers.records import OutgoingTask, Prediction, ProjectSpec, TaskId, TaskType
from workbench.domain.errors import PoolProblem, RoundProblem
from workbench.domain.records import Item, LabelerLink, Selection, Task, TaskKind, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.redundancy import bring_overlaps
from workbench.steps.tidy import find_all, tidy_round

BATCH = 1000
REQUEST_CHARACTERS = 32_000_000
#: Where the receiver listens, below its address; the project's uid follows.
HOOKS_PATH = "/hooks/label-studio"
#: Pauses before looking again after a lost answer; a server under load may commit up to a minute late.
LOOK_AGAIN_SECONDS = (1.0, 3.0, 10.0, 30.0)


def push(parts: Parts, held: Round) -> Round:
    """Bring the batch to the labeler. Run twice, or after a kill at any place, every task is there once.

    Raises:
        LabelerError: The labeler is away or says no; the round can be resumed.
    """
    with parts.store.read() as tx:
        tasks = tx.tasks.of_round(held.id)
    _refuse_other_labeler(parts, tasks)
    with answering(parts):
        link = open_project(parts, held)
        _ensure_webhook(parts, held, link)
        bring(parts, held, link, tasks)
        bring_overlaps(parts, link, held)
        tidy_round(parts, held, held)
    with parts.store.begin() as tx:
        return tx.rounds.move(held, RoundState.PUSHED)


def bring(parts: Parts, held: Round, link: LabelerLink, tasks: Sequence[Task]) -> None:
    """Bring those of a round's tasks to the labeler that wait for it; what is there already is only noted."""
    with parts.store.read() as tx:
        chosen = {selection.item_key: selection for selection in tx.tasks.selections(held.id)}
        items = tx.pool.by_key(parts.project.id, [task.item_key for task in tasks])
    version = model_version(parts, held)
    outgoing = {t.item_key: _outgoing(parts, held, items, chosen, t, version, len(chosen)) for t in tasks}
    # One look for all: whoever was here before has stopped, since the lease is ours.
    missing = _remember(parts, held, tasks, _look(parts, held, link, tasks))
    with parts.progress(f"Sending {len(tasks)} tasks") as report:
        done = len(tasks) - len(missing)
        report(done, len(tasks))
        for batch in _loads(missing, outgoing):
            _settle_batch(parts, held, link, batch, outgoing)
            done += len(batch)
            report(done, len(tasks))


def _refuse_other_labeler(parts: Parts, tasks: Sequence[Task]) -> None:
    for task in tasks:
        if task.labeler != parts.labeler.name:
            raise RoundProblem(
                f"This round was planned for the labeler '{task.labeler}', and [labeler] now names "
                f"'{parts.labeler.name}'. Put it back, or type `workbench round cancel`."
            )


def release(parts: Parts, held: Round) -> Round:
    """Have this round's tasks served, most wanted first."""
    with answering(parts):
        link = open_project(parts, held)
        parts.renew(held)
        parts.labeler.release(link.external_id, model_version(parts, held))
    with parts.store.begin() as tx:
        return tx.rounds.move(held, RoundState.LABELING, released_at=tx.now)


def open_project(parts: Parts, held: Round | None = None) -> LabelerLink:
    """Find or make our project at the labeler, and remember it; under the lease ``held``, if there is one."""
    settings = parts.config.labeler
    with parts.store.begin() as tx:
        known = tx.projects.link(parts.project.id, parts.labeler.name)
    adopted = str(settings.project_id) if settings.project_id is not None else None
    remote = parts.labeler.open_project(
        project_spec(parts, adopted or (known.external_id if known else None))
    )
    link = LabelerLink(labeler=parts.labeler.name, external_id=remote.project_id, url=remote.url)
    if settings.pictures == "local-files":
        share_folders(parts, link)
    if known is None or (known.external_id, known.url) != (link.external_id, link.url):
        with parts.store.begin() as tx:
            if held is not None:
                tx.rounds.hold(held)
            tx.projects.save_link(parts.project.id, link)
    return link


def project_spec(parts: Parts, existing_id: str | None) -> ProjectSpec:
    """Our project as the labeler is to show it."""
    settings = parts.config.labeler
    return ProjectSpec(
        title=parts.project.name,
        task_type=TaskType.IMAGE if parts.project.kind is TaskKind.IMAGE else TaskType.TEXT,
        classes=parts.project.classes,
        overlap=settings.overlap,
        show_predictions=settings.show_predictions,
        existing_id=existing_id,
    )


def _ensure_webhook(parts: Parts, held: Round, link: LabelerLink) -> None:
    """Have the labeler call us when something changes; where it will not, reading by the clock goes on."""
    base, secret = parts.config.labeler.webhook_url, parts.webhook_secret
    if not base or not secret:
        return
    try:
        parts.labeler.ensure_webhook(
            link.external_id, f"{base.rstrip('/')}{HOOKS_PATH}/{parts.project.uid}", secret
        )
    except LabelerRefused as refusal:
        with parts.store.begin() as tx:
            tx.rounds.hold(held)
            tx.results.note(parts.project.id, "webhook-refused", str(refusal), round_id=held.id)


def share_folders(parts: Parts, link: LabelerLink) -> None:
    """Let a project of the labeler show the pictures of every folder that is in the pool."""
    with parts.store.begin() as tx:
        folders = sorted({shard.source for shard in tx.pool.shards(parts.project.id)})
    for folder in folders:
        parts.labeler.ensure_local_storage(link.external_id, Path(folder))


def model_version(parts: Parts, held: Round) -> str:
    """Under which name this round's predictions are served."""
    if held.scoring_run_id is None:
        return f"{held.key}-coverage"
    with parts.store.begin() as tx:
        return f"{held.key}-{tx.results.run(held.scoring_run_id).data_hash[:8]}"


def _loads(tasks: Sequence[Task], outgoing: dict[str, OutgoingTask]) -> Iterator[list[Task]]:
    """Cut into requests that are neither too many tasks nor too many bytes."""
    load: list[Task] = []
    size = 0
    for task in tasks:
        weight = len(outgoing[task.item_key].content)
        if load and (len(load) == BATCH or size + weight > REQUEST_CHARACTERS):
            yield load
            load, size = [], 0
        load.append(task)
        size += weight
    if load:
        yield load


def _settle_batch(
    parts: Parts, held: Round, link: LabelerLink, batch: Sequence[Task], outgoing: dict[str, OutgoingTask]
) -> None:
    """Bring one batch, which is not there yet, to the state that each of its tasks is there and known."""
    missing = list(batch)
    for pause in (*LOOK_AGAIN_SECONDS, None):
        # A paused process that wakes up after its lease was taken must not send: look at the lease first.
        parts.renew(held)
        try:
            sent = parts.labeler.send_tasks(link.external_id, [outgoing[task.item_key] for task in missing])
        except OutcomeUnknown:
            if pause is None:
                raise
            time.sleep(pause)
            missing = _remember(parts, held, missing, _look(parts, held, link, missing))
            if not missing:
                return
        else:
            _remember(parts, held, missing, sent)
            return


def _look(parts: Parts, held: Round, link: LabelerLink, tasks: Sequence[Task]) -> list[TaskId]:
    return find_all(parts, link, held, [task for task in tasks if task.state is TaskState.PENDING])


def _remember(parts: Parts, held: Round, batch: Sequence[Task], there: Sequence[TaskId]) -> list[Task]:
    """Write down the ids of tasks that are there; give back those that are not."""
    ids = _lowest(there)
    pending = [task for task in batch if task.state is TaskState.PENDING]
    known = {task.id: ids[task.item_key] for task in pending if task.item_key in ids}
    if known:
        with parts.store.begin() as tx:
            tx.rounds.hold(held)
            tx.tasks.sent(known)
    return [task for task in pending if task.item_key not in ids]


def _lowest(there: Sequence[TaskId]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for found in sorted(there, key=_numeric, reverse=True):
        ids[found.item_key] = found.task_id
    return ids


def _numeric(found: TaskId) -> tuple[int, str]:
    return (int(found.task_id), "") if found.task_id.isdigit() else (0, found.task_id)


def content_of(parts: Parts, item: Item) -> str:
    """What an annotator sees of an item.

    Raises:
        PoolProblem: It can not be shown.
    """
    try:
        return parts.present(item.key, item.payload)
    except SourceError as error:
        raise PoolProblem(
            f"Item '{item.key}' can not be shown to annotators: {error} The keys are inline_limit and "
            "pictures under [labeler] in workbench.toml. Then type `workbench round resume`. "
            f"Or give it up: `workbench round cancel`, `workbench pool remove {shlex.quote(item.key)}`."
        ) from error


def _outgoing(
    parts: Parts,
    held: Round,
    items: dict[str, Item],
    chosen: dict[str, Selection],
    task: Task,
    version: str,
    size: int,
) -> OutgoingTask:
    selection = chosen[task.item_key]
    # The place in the queue, not the score itself: the order is exact, and a random pick can not be told.
    place = selection.rank / size
    return OutgoingTask(
        item_key=task.item_key,
        round_key=parts.round_key(held),
        content=content_of(parts, items[task.item_key]),
        prediction=Prediction(
            label=None if task.blind else selection.predicted, score=place, model_version=version
        ),
    )
