"""What the database knows that a schedule decides by."""

from collections.abc import Callable
from datetime import timedelta

from workbench.domain.decisions import Facts
from workbench.domain.looks import looks_needed, sure_low
from workbench.domain.records import BudgetPoint, Project
from workbench.domain.rounds import LEASE_SECONDS
from workbench.domain.schedule import Schedule, steady
from workbench.storage.store import Transaction

#: Kinds of events that tell what the test of new items found.
DRIFTED, STEADY = "drift", "no-drift"
ADDED = "pool-added"


def facts_of(
    tx: Transaction,
    project: Project,
    schedule: Schedule,
    is_gone: Callable[[str], bool] = lambda _owner: False,
) -> Facts:
    """Gather what ``decide`` wants to know.

    Args:
        is_gone: Whether the process behind a lease is known to have ended.
    """
    rounds = tx.rounds.all(project.id)
    current = next((found for found in rounds if not found.finished), None)
    points = tx.results.budget_points(project.id)
    newest = max((shard.created_at for shard in tx.pool.shards(project.id)), default=None)
    drift = tx.schedules.last_event(project.id, DRIFTED, STEADY)
    added = tx.schedules.last_event(project.id, ADDED)
    # What was said before the pool received more says nothing of that. Which came first, ids know: a clock
    # that was set back would have the same be tested again and again.
    told = drift if drift is not None and (added is None or drift.id > added.id) else None
    holder = current.lease_owner if current is not None else None
    until = current.lease_until if current is not None else None
    # One that ends later than one that begins now was written by another clock: trying to take it cuts it.
    held = until is not None and tx.now < until <= tx.now + timedelta(seconds=LEASE_SECONDS)
    busy = holder if held and holder is not None and not is_gone(holder) else None
    return Facts(
        now=steady(tx.now, schedule),
        schedule=schedule,
        rounds=rounds,
        busy=busy,
        new_items=bool(newest and rounds and newest > rounds[-1].created_at),
        drift=told.message if told else None,
        drifted=told is not None and told.kind == DRIFTED,
        low=_surely(tx, project, points),
    )


def _surely(tx: Transaction, project: Project, points: list[BudgetPoint]) -> float | None:
    """The accuracy that is surely reached, as reports judge it."""
    if not points:
        return None
    return sure_low(points, looks_needed(points[-1].round_number, tx.results.metrics(project.id)))
