"""What comes from the adjudication queue, and what becomes of one that was deleted or switched off."""

from connectors.errors import LabelerRefused
from workbench.domain.records import LabelerLink, Task, TaskState
from workbench.steps.adjudicate import WAITING, open_queue, queue_parts
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.pull import Pulled, pull
from workbench.steps.tidy import take_back


def read_rulings(parts: Parts) -> Pulled:
    """Bring in what was ruled; where somebody deleted the queue's project, it goes on in a new one.

    Where adjudication was switched off, what still waits is taken back, and promised no longer.

    Raises:
        LabelerError: The labeler is away or says no.
    """
    queue = queue_parts(parts)
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, queue.labeler.name)
    wanted = parts.config.annotators.adjudication
    if link is None or not (wanted or _left(queue)):
        return Pulled()
    try:
        pulled = pull(queue)
    except LabelerRefused:
        with answering(queue):
            if queue.labeler.describe_project(link.external_id) is not None:
                raise
        _without_project(queue, link, wanted=wanted)
        return Pulled()
    if not wanted:
        _give_up(queue)
    return pulled


def _left(queue: Parts) -> list[Task]:
    with queue.store.read() as tx:
        tasks = tx.wanted.in_queue(queue.project.id, queue.labeler.name)
    return [task for task in tasks if task.state in (*WAITING, TaskState.CANCELLED)]


def _give_up(queue: Parts) -> None:
    with queue.store.begin() as tx:
        tx.projects.lock(queue.project.id)
        tasks = tx.wanted.in_queue(queue.project.id, queue.labeler.name)
        waiting = [task.id for task in tasks if task.state in WAITING]
        if waiting:
            tx.tasks.set_states(dict.fromkeys(waiting, TaskState.CANCELLED))
            words = f"{len(waiting)} items that wait for a ruling are taken back: adjudication is off"
            tx.results.note(queue.project.id, "adjudication", words)
    take_back(queue)


def _without_project(queue: Parts, lost: LabelerLink, *, wanted: bool) -> None:
    """What was ruled stays; what waits is brought to a new project, or given up."""
    if wanted:
        with answering(queue):
            open_queue(queue, anew=True)
    with queue.store.begin() as tx:
        tx.projects.lock(queue.project.id)
        tasks = tx.wanted.in_queue(queue.project.id, queue.labeler.name)
        waiting = [task for task in tasks if task.state in (*WAITING, TaskState.CANCELLED)]
        tx.tasks.set_states({task.id: TaskState.WITHDRAWN for task in waiting})
        if wanted:
            tx.wanted.queue(queue.labeler.name, waiting)
        becomes = "are asked for in a new one" if wanted else "are not asked for any longer"
        words = f"Project {lost.external_id} is gone at the labeler; {len(waiting)} rulings {becomes}"
        tx.results.note(queue.project.id, "adjudication", words)
