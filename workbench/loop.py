"""The loop: ``ask`` scores, selects and pushes; ``tell`` pulls, settles, trains, evaluates and records.

Hours or weeks pass between the two, and any of it may be killed at any place: the round in the database
knows where to go on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.domain.errors import PoolProblem, RoundOpen, RoundProblem
from workbench.domain.records import TaskState
from workbench.domain.rounds import ORDER, Round, RoundState, check_cancel
from workbench.domain.seeds import derive_seed
from workbench.steps.begun import as_begun
from workbench.steps.choose import affordable_batch, check_enough, choose
from workbench.steps.gather import gather, make_room
from workbench.steps.learn import evaluate, record, train
from workbench.steps.leases import lease, steadily
from workbench.steps.parts import Parts
from workbench.steps.pull import Pulled, pull
from workbench.steps.push import push, release
from workbench.steps.score import score
from workbench.steps.settle import Progress, progress_of, settle
from workbench.steps.tidy import WAITING, find_all, take_back, tidy_waiting
from workbench.storage.store import Transaction

#: Says why a round is started, in the transaction that plans it; raises ``RoundBusy`` where that is over.
Claim = Callable[[Transaction], str]

STEPS = {
    RoundState.PLANNED: score,
    RoundState.SCORED: choose,
    RoundState.SELECTED: push,
    RoundState.PUSHED: release,
    RoundState.SETTLED: train,
    RoundState.TRAINED: evaluate,
    RoundState.EVALUATED: record,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a ``tell`` did: what came in, and where the round stands now (None when none is open)."""

    pulled: Pulled
    round: Round | None
    progress: Progress | None


def ask(parts: Parts, batch_size: int | None = None, *, claim: Claim | None = None) -> Round:
    """Start a round and bring its batch to the annotators.

    Args:
        batch_size: That of the configuration if None.
        claim: Of who starts rounds by itself: what it writes and the new round are written together, or not
            at all.

    Raises:
        RoundOpen: A round is open already.
        PoolProblem: Nothing, or not enough, is left to choose from.
        BudgetExhausted: Not one more label can be paid for.
        RoundBusy: Another process is at work.
    """
    take_back(parts)
    # What was answered or changed since the last tell is learnt from now, and not chosen again.
    gather(parts)
    wanted = parts.config.round.batch_size if batch_size is None else batch_size
    make_room(parts, wanted)
    planned = _plan(parts, wanted, claim)
    with lease(parts, planned) as held:
        return _go_on(parts, held)


def tell(parts: Parts, *, close: bool = False, tidy: bool = True) -> Told:
    """Bring in what annotators did; when the batch is answered, learn from it and close the round.

    Told twice, the second time changes nothing. By many at once, one of them goes on.

    Args:
        close: Go on with the answers that are there.
        tidy: Ask the labeler for every task that waits: finds those that are gone and second copies.

    Raises:
        RoundProblem: The open round has not reached the annotators yet.
        RoundBusy: Another process is at work.
    """
    parts = as_begun(parts)
    take_back(parts)
    pulled = gather(parts)
    if tidy:
        tidy_waiting(parts)
    with parts.store.begin() as tx:
        current = tx.rounds.unfinished(parts.project.id)
    if current is None:
        return Told(pulled=pulled, round=None, progress=None)
    _refuse_before_labeling(current)
    if current.position is RoundState.LABELING:
        with parts.store.begin() as tx:
            progress = progress_of(tx, current)
        if progress.share < parts.config.round.close_when and not close:
            return Told(pulled=pulled, round=current, progress=progress)
    with lease(parts, current) as held:
        waits = held.position is RoundState.LABELING
        reached = _go_on(parts, settle(parts, held, close=close) if waits else held)
    with parts.store.begin() as tx:
        return Told(pulled=pulled, round=reached, progress=progress_of(tx, reached))


def resume(parts: Parts) -> Round:
    """Go on with the open round from wherever it stopped, as far as it goes without annotators.

    Raises:
        RoundProblem: No round is open.
        RoundBusy: Another process is at work.
    """
    current = _open_round(parts)
    parts = as_begun(parts)
    with lease(parts, current) as held:
        return _go_on(parts, held)


def cancel(parts: Parts) -> Round:
    """Give the open round up. Its unanswered items go back to the pool; answers that exist stay.

    Raises:
        RoundProblem: No round is open, or it is past labeling.
        RoundBusy: Another process is at work.
    """
    current = _open_round(parts)
    check_cancel(current)
    parts = as_begun(parts)
    pull(parts)
    with lease(parts, current, recording=False) as held:
        touched = _touched(parts, held)
        with parts.store.begin() as tx:
            free = [task for task in tx.tasks.of_round(held.id) if task.item_key not in touched]
            tx.tasks.set_states(
                {task.id: TaskState.CANCELLED for task in free if task.state in (*WAITING, TaskState.PENDING)}
            )
            tx.rounds.cancel(held)
            tx.results.note(parts.project.id, "cancelled", "The round was given up", round_id=held.id)
    take_back(parts)
    pull(parts)
    with parts.store.begin() as tx:
        return tx.rounds.get(current.id)


def _go_on(parts: Parts, held: Round) -> Round:
    """Run step after step until the round waits for people or is closed."""
    reached = held
    while step := STEPS.get(reached.position):
        reached = steadily(parts, reached, step)
    if reached.state is RoundState.FAILED:
        with parts.store.begin() as tx:
            return tx.rounds.recover(reached)
    return reached


def _plan(parts: Parts, batch_size: int, claim: Claim | None) -> Round:
    if batch_size < 1:
        raise RoundProblem(f"A batch of {batch_size} items was asked for; expected 1 at least.")
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        _refuse_open(tx.rounds.unfinished(parts.project.id))
        shards = tx.pool.shards(parts.project.id)
        if not shards:
            raise PoolProblem("The pool is empty. Type `workbench pool add PATH` to fill it.")
        left = sum(shard.rows for shard in shards) - tx.pool.taken(parts.project.id)
        size = affordable_batch(parts, tx, batch_size)
        check_enough(left, size)
        number = len(tx.rounds.all(parts.project.id))
        seed = derive_seed(parts.project.seed, "round", number)
        why = claim(tx) if claim else "Asked for"
        planned = tx.rounds.plan(parts.project.id, batch_size=size, seed=seed, config=parts.config.snapshot())
        tx.results.note(parts.project.id, "started", why, round_id=planned.id)
        return planned


def _refuse_open(current: Round | None) -> None:
    if current is None:
        return
    if current.position is RoundState.LABELING:
        raise RoundOpen(
            f"Round {current.number} is waiting for its labels. Type `workbench round tell` to bring them "
            "in, `workbench round tell --close` to go on with what is there, or `workbench round cancel`."
        )
    raise RoundOpen(
        f"Round {current.number} is not finished (it is '{current.state}'). "
        "Type `workbench round resume` to go on, or `workbench round cancel`."
    )


def _refuse_before_labeling(current: Round) -> None:
    if ORDER.index(current.position) < ORDER.index(RoundState.LABELING):
        raise RoundProblem(
            f"Round {current.number} has not reached the annotators yet (it is '{current.state}'). "
            "Type `workbench round resume`."
        )


def _open_round(parts: Parts) -> Round:
    with parts.store.begin() as tx:
        current = tx.rounds.unfinished(parts.project.id)
    if current is None:
        raise RoundProblem("No round is open. Type `workbench round ask` to start one.")
    return current


def _touched(parts: Parts, held: Round) -> set[str]:
    """Items of the round that somebody has answered or skipped at the labeler."""
    with parts.store.begin() as tx:
        tasks = tx.tasks.of_round(held.id)
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    there = find_all(parts, link, held, tasks) if link else []
    return {found.item_key for found in there if found.annotated}
