"""Carries a decision out, through the loop. Each says whether there is more to decide at once."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from workbench import loop
from workbench.domain.decisions import Act, Decision, Facts, decide
from workbench.domain.errors import BudgetExhausted, RoundBusy
from workbench.domain.rounds import Round, RoundState
from workbench.scheduler.bench import Bench
from workbench.steps.drift import find_drift
from workbench.steps.parts import Parts
from workbench.steps.stopping import stops
from workbench.storage.store import Transaction

#: Asking the labeler for every waiting task is for now and then; answers come in with every look.
TIDY_EVERY = timedelta(minutes=10)
EXHAUSTED = "every item of the pool is labeled, held out or taken out"


def act(bench: Bench, decision: Decision, facts: Facts, *, tidy: bool) -> bool:
    """Do what was decided; True if there may be more to do at once."""
    if decision.act is Act.STOP:
        return _stop(bench, decision.words)
    if decision.act in (Act.WAIT, Act.LOOK):
        bench.diary.say_once(decision.act, decision.words, bench.project.name)
    else:
        bench.say(decision.act, decision.words)
    if decision.act is Act.WAIT:
        return False
    if decision.act is Act.LOOK and not facts.rounds:
        return False
    with bench.parts() as parts:
        if decision.act in (Act.LOOK, Act.CLOSE):
            return _tell(bench, parts, facts, close=decision.act is Act.CLOSE, tidy=tidy)
        return ACTS[decision.act](bench, parts, facts)


def _tell(bench: Bench, parts: Parts, facts: Facts, *, close: bool, tidy: bool) -> bool:
    told = loop.tell(parts, close=close, tidy=tidy or close)
    if told.pulled.versions or told.pulled.labels:
        bench.say(
            "pulled",
            f"{told.pulled.versions} new or changed annotations, {told.pulled.labels} labels new or changed",
        )
    if told.round is None or facts.current is None or told.round.state is facts.current.state:
        return False
    return _reached(bench, told.round)


def _resume(bench: Bench, parts: Parts, _facts: Facts) -> bool:
    return _reached(bench, loop.resume(parts))


def _start(bench: Bench, parts: Parts, _facts: Facts) -> bool:
    reason = stops(parts, bench.settings.config.schedule.stop_rules)
    if reason is not None:
        return _stop(bench, reason)
    left = _left(parts)
    if left == 0:
        return _stop(bench, EXHAUSTED)
    size = parts.config.round.batch_size
    try:
        # An empty pool is not an exhausted one: asking for it says what to type.
        asked = loop.ask(parts, size if left is None else min(size, left), claim=lambda tx: _claim(bench, tx))
    except BudgetExhausted as error:
        return _stop(bench, str(error))
    return _reached(bench, asked)


def _claim(bench: Bench, tx: Transaction) -> str:
    """Use the tick, or the wish, up for the round that is planned in this transaction.

    Decided once more under the project's lock: of many who have decided the same, one is right.
    """
    facts = bench.facts(tx)
    decision = decide(bench.rules_in(tx), facts)
    if decision.act is not Act.START or not tx.schedules.started(facts.schedule, bench.tick_after(facts.now)):
        raise RoundBusy("The round was started by somebody else meanwhile; nothing is to be done.")
    return decision.words


def _find_drift(bench: Bench, parts: Parts, facts: Facts) -> bool:
    alpha = bench.rules.on_drift
    if alpha is not None and facts.rounds:
        found = find_drift(parts, since=facts.rounds[-1].created_at, alpha=alpha)
        bench.say("drift", found.words)
    return True


def _left(parts: Parts) -> int | None:
    """How many items of the pool can still be chosen; None while it holds none at all."""
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
        return sum(shard.rows for shard in shards) - tx.pool.taken(parts.project.id) if shards else None


def _stop(bench: Bench, reason: str) -> bool:
    words = f"No further round is started: {reason}"
    with bench.store.begin() as tx:
        tx.projects.lock(bench.project.id)
        tx.schedules.stop(bench.project.id, reason)
        tx.results.note(bench.project.id, "schedule-stopped", words)
    bench.say("stopped", words)
    return True


def _reached(bench: Bench, reached: Round) -> bool:
    with_annotators = reached.state is RoundState.LABELING
    where = "with the annotators" if with_annotators else f"'{reached.state}'"
    bench.say("round", f"Round {reached.number} is {where}")
    return reached.finished


ACTS: Mapping[Act, Callable[[Bench, Parts, Facts], bool]] = {
    Act.RESUME: _resume,
    Act.START: _start,
    Act.TEST_DRIFT: _find_drift,
}
