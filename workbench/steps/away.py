"""Keep record of a labeler that does not answer: once when it begins, once when it ends, not in between.

The state is for people (`round show`) and for whoever tries by itself; a person's own command tries at once.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from connectors.errors import LabelerError, LabelerUnreachable, OutcomeUnknown
from workbench.domain.absence import back_off, in_words, title, tried
from workbench.domain.errors import WorkbenchError
from workbench.steps.parts import Parts


@contextmanager
def answering(parts: Parts) -> Iterator[None]:
    """Note, around work with the labeler, whether it answers. Blocks of this kind do not nest.

    Only around work that asks it something: a block that ends well says that it has answered.
    """
    try:
        yield
    except (LabelerUnreachable, OutcomeUnknown) as error:
        # When the database is away too, the first error is the one to show.
        with suppress(WorkbenchError):
            _note_away(parts, error)
        raise
    except LabelerError:
        # A refusal is an answer.
        _note_back(parts)
        raise
    _note_back(parts)


def _note_away(parts: Parts, error: LabelerUnreachable | OutcomeUnknown) -> None:
    name = parts.labeler.name
    with parts.store.begin() as tx:
        before = tx.projects.absence(parts.project.id, name)
        wait = back_off(before.attempts + 1 if before else 1, random.random())  # noqa: S311
        asked = error.retry_after if isinstance(error, LabelerUnreachable) else None
        due = tx.now + timedelta(seconds=max(wait, asked or 0.0))
        tx.projects.labeler_away(parts.project.id, name, error=str(error), next_attempt_at=due)
        if before is None:
            tx.results.note(parts.project.id, "labeler-away", f"{title(name)} does not answer: {error}")


def _note_back(parts: Parts) -> None:
    with parts.store.read() as tx:
        if tx.projects.absence(parts.project.id, parts.labeler.name) is None:
            return
    with parts.store.begin() as tx:
        away = tx.projects.labeler_back(parts.project.id, parts.labeler.name)
        if away is not None:
            long = in_words((tx.now - away.since).total_seconds())
            words = f"{title(away.labeler)} was away for {long}; it was {tried(away.attempts)}"
            tx.results.note(parts.project.id, "labeler-back", words)
