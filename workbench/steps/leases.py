"""Hold a round while working on it, and leave it in a state from which it can go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from acquisition.errors import AcquisitionError
from connectors.errors import ConnectorError, LabelerUnreachable, OutcomeUnknown
from workbench.domain.errors import DatabaseAway, RoundBusy, WorkbenchError
from workbench.domain.rounds import Round
from workbench.steps.holders import is_gone
from workbench.steps.parts import Parts
from workbench.storage.patience import patiently

#: What passes by itself: the round is left as it stands, to go on from there.
PASSING = (DatabaseAway, LabelerUnreachable, OutcomeUnknown)


@contextmanager
def lease(parts: Parts, found: Round, *, recording: bool = True) -> Iterator[Round]:
    """Hold the round inside the block, however long it takes.

    An error of ours is recorded with the round, unless it is that the database or the labeler is away: then
    the round stays as it is. Others only let go. Without ``recording`` no error fails the round.

    Raises:
        RoundBusy: Another process holds it, or has taken it meanwhile.
    """
    held = _take(parts, found)
    try:
        with parts.watch.keep(parts.store, held, parts.lease_seconds):
            yield held
    except RoundBusy:
        raise
    except (WorkbenchError, ConnectorError, AcquisitionError) as error:
        if recording and not isinstance(error, PASSING):
            _fail(parts, held, error)
        else:
            _let_go(parts, held)
        raise
    except BaseException:
        _let_go(parts, held)
        raise
    parts.store.insist(lambda tx: tx.rounds.release(held))


def steadily(parts: Parts, held: Round, step: Callable[[Parts, Round], Round]) -> Round:
    """Run a step; when the database goes away meanwhile, again from where the round then stands.

    Every step can be run twice from its beginning, as after a kill.

    Raises:
        DatabaseAway: It was away for more than a minute.
        RoundBusy: Another process has taken the round meanwhile.
    """
    tried = False

    def once() -> Round:
        nonlocal tried
        now = _look(parts, held) if tried else held
        tried = True
        # A move whose commit was carried out and not answered.
        return now if now.position is not held.position else step(parts, now)

    return patiently(once)


def _look(parts: Parts, held: Round) -> Round:
    with parts.store.begin() as tx:
        tx.rounds.hold(held)
        return tx.rounds.get(held.id)


def _take(parts: Parts, found: Round) -> Round:
    # In a transaction of its own: it lasts also when the round is refused.
    parts.store.insist(lambda tx: tx.rounds.trim(found.id, parts.lease_seconds))
    return parts.store.insist(
        lambda tx: tx.rounds.take(found.id, parts.owner, parts.lease_seconds, is_gone=is_gone)
    )


def _fail(parts: Parts, held: Round, error: Exception) -> None:
    message = str(error)
    # If the database fails too: the lease ends by itself, the state is untouched, and the first error is
    # the one to show.
    with suppress(WorkbenchError), parts.store.begin() as tx:
        tx.rounds.fail(held, message)
        tx.rounds.release(held)
        tx.results.note(parts.project.id, "round-failed", message, round_id=held.id)


def _let_go(parts: Parts, held: Round) -> None:
    with suppress(WorkbenchError), parts.store.begin() as tx:
        tx.rounds.release(held)
