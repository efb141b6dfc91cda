"""Do everything that is left to do, as a person or the scheduler would: again, after whatever went wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.errors import ConnectorError
from tests.faults.little_project import answers
from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.errors import WorkbenchError
from workbench.domain.rounds import RoundState
from workbench.simulation.answers import answer_all
from workbench.steps import push
from workbench.steps.parts import Parts

#: Has people answer whatever they are served in this project of the labeler.
Answer = Callable[[str], None]
ROUNDS = 2
ATTEMPTS = 12


def finish(parts: Parts, answer: Answer, rounds: int = ROUNDS) -> None:
    """Go on from wherever the project stands until so many rounds are closed.

    Args:
        answer: Has people answer whatever they are served of a labeler's project.
    """
    while (closed := _closed(parts)) < rounds:
        current = loop.resume(parts) if len(_rounds(parts)) > closed else loop.ask(parts)
        if current.position is RoundState.LABELING:
            link = push.open_project(parts)
            answer(link.external_id)
        loop.tell(parts, close=True)


def finish_stubbornly(config: Path, labeler: Any, answer: Answer, rounds: int = ROUNDS) -> int:
    """The same, begun again after every error of ours; gives the number of attempts.

    Anything that is not an error of ours ends the test.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with open_parts(config, labeler=labeler) as parts:
                finish(parts, answer, rounds)
        except (WorkbenchError, ConnectorError) as error:
            last = error
        else:
            return attempt
    raise AssertionError(f"Stuck after {ATTEMPTS} attempts: {last}") from last


def everybody(people: list[Any]) -> Answer:
    """These people answer in turns until nobody is served anything."""

    def answer(project_id: str) -> None:
        answer_all(people, project_id, answers())

    return answer


def _rounds(parts: Parts) -> list[Any]:
    with parts.store.begin() as tx:
        return tx.rounds.all(parts.project.id)


def _closed(parts: Parts) -> int:
    return sum(found.state is RoundState.CLOSED for found in _rounds(parts))
