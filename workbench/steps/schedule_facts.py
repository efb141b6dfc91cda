"""What the database knows that a schedule decides by."""

from collections.abc import Callable

from workbench.domain.decisions import Facts
from workbench.domain.records import Project
from workbench.domain.schedule import Schedule, steady
from workbench.storage.store import Transaction

#: Kinds of events that tell what the test of new items found.
DRIFTED, STEADY = "drift", "no-drift"


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
    # What was said before the pool received more says nothing of that.
    told = drift if drift is not None and newest is not None and drift.at >= newest else None
    holder = current.lease_owner if current is not None else None
    until = current.lease_until if current is not None else None
    held = holder is not None and until is not None and until > tx.now and not is_gone(holder)
    return Facts(
        now=steady(tx.now, schedule),
        schedule=schedule,
        rounds=rounds,
        busy=holder if held else None,
        new_items=bool(newest and rounds and newest > rounds[-1].created_at),
        drift=told.message if told else None,
        drifted=told is not None and told.kind == DRIFTED,
        low=points[-1].low if points else None,
    )
