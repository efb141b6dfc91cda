"""Compare every task at the labeler with the tasks of the database."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.errors import SourceError
from connectors.labelers.records import Prediction, TaskFacts
from workbench.domain.reconcile import Finding, Kind, Outcome
from workbench.domain.records import Item, LabelerLink, Selection, Task, TaskState
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import Parts
from workbench.steps.push import model_version
from workbench.steps.tidy import WAITING
from workbench.storage.statements import chunked

PAGE = 250
#: How a round's key looks: its number, and the uid of the project that made it.
ROUND_KEY = re.compile(r"round-\d{4,}-([0-9a-f]{8})")
SAME = 1e-9
TAKEN_BACK = frozenset({TaskState.CANCELLED, TaskState.WITHDRAWN})


class Copy(NamedTuple):
    """A task at the labeler that carries an item of ours."""

    task_id: str
    annotated: bool


@dataclass(slots=True)
class Shelf:
    """A round with its tasks by item, and what the labeler holds of each."""

    round: Round
    tasks: dict[str, Task]
    #: What the prediction of a waiting task should be, by item; only for the round that is served now.
    wanted: dict[str, Prediction] = field(default_factory=dict)
    copies: dict[str, list[Copy]] = field(default_factory=lambda: defaultdict(list))


class Survey(NamedTuple):
    """Everything that was seen."""

    shelves: dict[str, Shelf]
    findings: list[Finding]
    there: int

    def absent(self) -> list[tuple[int, Task]]:
        """Tasks, with their rounds' numbers, of which the labeler holds nothing."""
        return [
            (shelf.round.number, task)
            for shelf in self.shelves.values()
            for key, task in shelf.tasks.items()
            if not shelf.copies.get(key)
        ]


def open_shelves(parts: Parts, rounds: Mapping[str, Round], live: Round | None) -> dict[str, Shelf]:
    """Take the tasks of these rounds out of the database."""
    shelves = {}
    for key, found in rounds.items():
        with parts.store.read() as tx:
            tasks = tx.tasks.of_round(found.id)
            served = live is not None and found.id == live.id
            picks = tx.tasks.selections(found.id) if served else []
        own = {task.item_key: task for task in tasks if task.labeler == parts.labeler.name}
        shelf = Shelf(round=found, tasks=own)
        if served:
            # A task that was lost had its place too.
            shelf.wanted = _wanted(parts, found, own, picks, max(len(tasks), len(picks)))
        shelves[key] = shelf
    return shelves


def _wanted(
    parts: Parts, found: Round, tasks: Mapping[str, Task], picks: Sequence[Selection], size: int
) -> dict[str, Prediction]:
    version = model_version(parts, found)
    return {
        pick.item_key: Prediction(
            label=None if tasks[pick.item_key].blind else pick.predicted,
            score=pick.rank / size,
            model_version=version,
        )
        for pick in picks
        if pick.item_key in tasks
    }


def survey(
    parts: Parts, link: LabelerLink, shelves: dict[str, Shelf], others: Collection[str], *, only: bool
) -> Survey:
    """Look at every task of the project.

    Args:
        others: Keys of our rounds that are not compared.
        only: Whether some rounds are meant, and strangers are of no interest.
    """
    findings: list[Finding] = []
    there = 0
    for page in chunked(parts.labeler.survey_tasks(link.external_id), PAGE):
        there += len(page)
        own = [facts for facts in page if _is_ours(facts, shelves)]
        findings += _look_closely(parts, own, shelves)
        if not only:
            strange = [
                facts for facts in page if not _is_ours(facts, shelves) and facts.round_key not in others
            ]
            findings += [_stranger(parts, facts) for facts in strange]
    return Survey(shelves, findings, there)


def _is_ours(facts: TaskFacts, shelves: Mapping[str, Shelf]) -> bool:
    shelf = shelves.get(str(facts.round_key))
    return shelf is not None and facts.item_key in shelf.tasks


def _look_closely(parts: Parts, page: Sequence[TaskFacts], shelves: Mapping[str, Shelf]) -> Iterator[Finding]:
    with parts.store.read() as tx:
        items = tx.pool.by_key(parts.project.id, {str(facts.item_key) for facts in page})
    for facts in page:
        key, shelf = str(facts.item_key), shelves[str(facts.round_key)]
        shelf.copies[key].append(Copy(facts.task_id, facts.annotated))
        if shelf.tasks[key].state in TAKEN_BACK:
            continue
        yield from _content(parts, shelf, facts, items[key])
        if shelf.tasks[key].state in WAITING and key in shelf.wanted and not facts.annotated:
            yield from _order(shelf, facts, shelf.wanted[key])


def _finding(
    kind: Kind, shelf: Shelf, facts: TaskFacts, found: str, action: str, outcome: Outcome
) -> Finding:
    return Finding(
        kind=kind,
        outcome=outcome,
        found=found,
        action=action,
        round=shelf.round.number,
        item=facts.item_key,
        task=facts.task_id,
    )


def _content(parts: Parts, shelf: Shelf, facts: TaskFacts, item: Item) -> Iterator[Finding]:
    try:
        expected = parts.present(item.key, item.payload)
    except SourceError as error:
        words = f"can not be compared: {error}"
        yield _finding(Kind.CONTENT, shelf, facts, words, "Put it back if it is needed.", Outcome.LEFT)
        return
    if facts.content == expected:
        return
    found = f"shows {_short(facts.content)}, expected {_short(expected)}"
    action = (
        "Look at its answers: they were given to something else."
        if facts.annotated
        else f"Delete task {facts.task_id} there, then type `workbench reconcile --fix`: it is sent again."
    )
    yield _finding(Kind.CONTENT, shelf, facts, found, action, Outcome.PERSON)


def _short(content: str | None) -> str:
    if content is None:
        return "nothing"
    return repr(content if len(content) <= 40 else content[:37] + "…")


def _order(shelf: Shelf, facts: TaskFacts, wanted: Prediction) -> Iterator[Finding]:
    served = [guess for guess in facts.predictions if guess.model_version == wanted.model_version]
    if served and all(abs(g.score - wanted.score) < SAME and g.label == wanted.label for g in served):
        return
    has = ", ".join(map(_guess, facts.predictions)) or "none"
    found = f"its place in the queue is {has}, expected {_guess(wanted)}"
    yield _finding(Kind.OUT_OF_ORDER, shelf, facts, found, "is put in its place", Outcome.FIXABLE)


def _guess(guess: Prediction) -> str:
    label = f" with '{guess.label}'" if guess.label is not None else ""
    return f"{guess.score:.3f} of '{guess.model_version}'{label}"


def _stranger(parts: Parts, facts: TaskFacts) -> Finding:
    key = facts.round_key
    kind, outcome = Kind.FOREIGN, Outcome.LEFT
    action = "It is none of ours."
    match = ROUND_KEY.fullmatch(key or "")
    if key is None or facts.item_key is None:
        found = "carries no key of ours"
    elif match is None:
        found = f"carries the key '{key}' of nobody"
    elif match[1] != parts.project.uid:
        kind, found = Kind.OTHER_DATABASE, f"belongs to another database (key '{key}')"
    else:
        found, outcome = f"carries our key '{key}', and this database knows no such task", Outcome.PERSON
        action = (
            "Was the database put back from an older copy? Then put the newest back, or delete the task in "
            "the labeler."
        )
    return Finding(
        kind=kind, outcome=outcome, found=found, action=action, item=facts.item_key, task=facts.task_id
    )


def compare_tasks(seen: Survey) -> list[Finding]:
    """Compare what is there of each task with what should be."""
    return [
        finding
        for shelf in seen.shelves.values()
        for key, task in shelf.tasks.items()
        if (finding := _compare(shelf, task, shelf.copies.get(key, []))) is not None
    ]


def _compare(shelf: Shelf, task: Task, copies: Sequence[Copy]) -> Finding | None:
    if task.state in TAKEN_BACK:
        return _taken_back(shelf, task, copies)
    if not copies:
        return _missing(shelf, task)
    if len(copies) > 1:
        return _doubled(shelf, task, copies)
    if task.state is not TaskState.PENDING and task.external_id != copies[0].task_id:
        found = f"is there as task {copies[0].task_id}, and noted as {task.external_id}"
        return _about(Kind.UNLINKED, shelf, task, found, "its id is noted")
    return None


def _about(
    kind: Kind, shelf: Shelf, task: Task, found: str, action: str, outcome: Outcome = Outcome.FIXABLE
) -> Finding:
    return Finding(
        kind=kind,
        outcome=outcome,
        found=found,
        action=action,
        round=shelf.round.number,
        item=task.item_key,
        task=task.external_id,
    )


def _taken_back(shelf: Shelf, task: Task, copies: Sequence[Copy]) -> Finding | None:
    if copies:
        found = f"its round was cancelled, and task {copies[0].task_id} is still there"
        stays = all(copy.annotated for copy in copies)
        action = "stays there, and its answers count" if stays else "is taken back"
        return _about(Kind.WITHDRAWN, shelf, task, found, action)
    if task.state is TaskState.CANCELLED:
        found = "its round was cancelled, it is not there, and that was not noted"
        return _about(Kind.WITHDRAWN, shelf, task, found, "is noted")
    return None


def _missing(shelf: Shelf, task: Task) -> Finding | None:
    if task.state is TaskState.PENDING or task.state in WAITING:
        found = f"is not there (noted as '{task.state}')"
        if is_served(shelf.round):
            return _about(Kind.MISSING, shelf, task, found, "is sent again")
        return _about(Kind.MISSING, shelf, task, found, "is noted as gone")
    if task.state in (TaskState.LABELED, TaskState.SKIPPED):
        found = "was deleted there after it was answered"
        return _about(Kind.ORPHANED, shelf, task, found, "Answers and label are kept.", Outcome.LEFT)
    return None


def is_served(found: Round) -> bool:
    """Whether the round's tasks are to be at the labeler and wait for answers."""
    return found.position in (RoundState.PUSHED, RoundState.LABELING)


def _doubled(shelf: Shelf, task: Task, copies: Sequence[Copy]) -> Finding:
    ids = ", ".join(copy.task_id for copy in copies)
    found = f"there are {len(copies)} tasks ({ids})"
    if all(copy.annotated for copy in copies):
        if task.external_id in {copy.task_id for copy in copies}:
            action = "All were answered and stay; each person counts once."
            return _about(Kind.DOUBLED, shelf, task, found, action, Outcome.LEFT)
        return _about(Kind.UNLINKED, shelf, task, found, "the first id is noted")
    return _about(Kind.DOUBLED, shelf, task, found, "those that nobody has touched are removed")
