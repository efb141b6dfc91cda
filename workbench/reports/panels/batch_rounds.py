"""Every round as it stood, and where its time went."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from workbench.domain.records import Reason, TaskState
from workbench.domain.rounds import FINISHED, RoundState
from workbench.reports.panels.batch_rows import RoundRow
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundMove, RoundThen

#: What goes on in a state, until the next one.
STAGES = {
    RoundState.PLANNED: "scoring",
    RoundState.SCORED: "choosing",
    RoundState.SELECTED: "sending",
    RoundState.PUSHED: "labeling",
    RoundState.LABELING: "labeling",
    RoundState.SETTLED: "training",
    RoundState.TRAINED: "measuring",
    RoundState.EVALUATED: "measuring",
    RoundState.FAILED: "failed",
}
#: How stages are called in sentences and charts.
CALLED = {
    "scoring": "scoring the pool",
    "choosing": "choosing the batch",
    "sending": "sending tasks",
    "labeling": "waiting for annotators",
    "training": "training",
    "measuring": "measuring",
    "failed": "failed, not yet resumed",
}


def round_rows(facts: Facts, rounds: list[RoundThen]) -> list[RoundRow]:
    """One row a round, oldest first."""
    states, reasons = facts.rounds.tasks_by_state, facts.rounds.picks_by_reason()
    spent = _seconds(facts.rounds.moves(), facts.at)
    return [
        _row(
            replace(one, error=facts.words(one.error)) if one.error else one,
            states.get(one.id, {}),
            reasons.get(one.id, {}) if one.has_chosen else {},
            spent.get(one.id, {}),
        )
        for one in rounds
    ]


def _row(
    one: RoundThen, states: dict[TaskState, int], reasons: dict[Reason, int], spent: dict[str, float]
) -> RoundRow:
    def count(*wanted: TaskState) -> int:
        return sum(states.get(state, 0) for state in wanted)

    return RoundRow(
        round=one.number,
        state=one.state,
        chosen_by=one.strategy or "–",
        batch=sum(reasons.values()) or one.batch_size,
        random=reasons.get(Reason.CONTROL, 0),
        labeled=count(TaskState.LABELED),
        skipped=count(TaskState.SKIPPED),
        invalid=count(TaskState.INVALID),
        open=count(TaskState.OPEN, TaskState.PENDING),
        gone=count(TaskState.GONE, TaskState.CANCELLED, TaskState.WITHDRAWN),
        error=one.error,
        **{f"{stage}_seconds": round(spent.get(stage, 0.0), 3) for stage in CALLED},
    )


def _seconds(moves: list[RoundMove], at: datetime) -> dict[int, dict[str, float]]:
    """Seconds of each round, by its id, in each stage; one that is not over runs until now."""
    found: dict[int, dict[str, float]] = {}
    for round_id, own in groupby(
        sorted(moves, key=lambda move: move.round_id), key=lambda move: move.round_id
    ):
        spent: dict[str, float] = defaultdict(float)
        path = list(own)
        for move, until in zip(path, [*(later.at for later in path[1:]), at], strict=True):
            if move.state not in FINISHED:
                spent[STAGES[move.state]] += max(0.0, (until - move.at).total_seconds())
        found[round_id] = dict(spent)
    return found
