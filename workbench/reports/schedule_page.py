"""What a schedule does next and why, and who is at work, for people."""

from dataclasses import asdict
from typing import Any

from workbench.domain.decisions import decide
from workbench.domain.records import Project
from workbench.domain.schedule import Rules
from workbench.steps.schedule_facts import facts_of
from workbench.steps.terms import rules_in_force
from workbench.storage.store import Transaction


def schedule_page(tx: Transaction, project: Project, rules: Rules) -> dict[str, Any]:
    """The schedule as it is; all empty before a worker or a command has made its row."""
    schedule = tx.schedules.get(project.id)
    workers = [asdict(worker) for worker in tx.workers.all()]
    if schedule is None:
        words = "No worker has looked at this project yet; `workbench run` starts one"
        return {"state": None, "next": words, "workers": workers}
    decision = decide(rules_in_force(tx, project, rules), facts_of(tx, project, schedule))
    return {
        "state": schedule.state,
        "reason": schedule.reason,
        "act": decision.act,
        "next": decision.words,
        "next_tick": schedule.next_fire_at,
        "looked_at": schedule.updated_at,
        "looks_next_at": schedule.next_look_at,
        "wanted_at": schedule.wanted_at,
        "last_started_at": schedule.last_started_at,
        "failures": schedule.failures,
        "retry_at": schedule.retry_at,
        "workers": workers,
    }
