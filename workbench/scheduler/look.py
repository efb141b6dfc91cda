"""One look at one project: whatever can be done now is done; what fails is noted and tried again later."""

from datetime import timedelta

from workbench.domain.errors import RoundBusy, RoundOpen
from workbench.domain.schedule import Schedule, is_due, pause_after
from workbench.domain.seeds import fraction
from workbench.scheduler.acts import act
from workbench.scheduler.bench import Bench
from workbench.steps.mending import in_words, passes
from workbench.storage.store import Transaction

#: One look closes a round and starts the next; more than so many moves in a row wait for the next look.
MOST_MOVES = 8
HEALED = "What failed before does not fail any more"


def claim(bench: Bench, *, at_once: bool) -> bool:
    """Take the look that is due; of many workers one gets it. ``at_once`` looks whether it is due or not."""
    every = timedelta(seconds=bench.settings.config.schedule.look_every)
    with bench.store.begin() as tx:
        schedule = tx.schedules.ensure(bench.project.id)
        if not at_once and not is_due(schedule, tx.now, every):
            return False
        return tx.schedules.claim(schedule, tx.now + every)


def look(bench: Bench, *, tidy: bool) -> Exception | None:
    """Decide and act until there is nothing more to do now; gives the failure that ended it, if one did.

    Raises:
        WorkbenchError: Not even the failure could be noted: the database is away.
    """
    failure: Exception | None = None
    try:
        _work(bench, tidy=tidy)
    except (RoundBusy, RoundOpen) as other:
        bench.say("busy", str(other))
        return None
    except Exception as error:  # noqa: BLE001  # the outermost place of a project's work: noted, and gone on
        failure = error
    _note(bench, failure)
    return failure


def _work(bench: Bench, *, tidy: bool) -> None:
    for _ in range(MOST_MOVES):
        decision, facts = bench.next()
        if not act(bench, decision, facts, tidy=tidy):
            return


def _note(bench: Bench, failure: Exception | None) -> None:
    """Write down how it went, and when to look again if that is sooner than usual."""
    with bench.store.begin() as tx:
        tx.projects.lock(bench.project.id)
        schedule = tx.schedules.ensure(bench.project.id)
        waits = schedule.retry_at is not None and schedule.retry_at > tx.now
        if failure is not None:
            _note_failure(bench, tx, schedule, failure)
        elif schedule.failures and not waits:
            tx.schedules.healed(bench.project.id)
            tx.results.note(bench.project.id, "schedule-healed", HEALED)
            bench.say("healed", HEALED)
        schedule = tx.schedules.ensure(bench.project.id)
        moments = [at for at in (schedule.next_fire_at, schedule.retry_at) if at is not None and at > tx.now]
        if moments:
            tx.schedules.look_at(bench.project.id, min(moments))


def _note_failure(bench: Bench, tx: Transaction, schedule: Schedule, failure: Exception) -> None:
    words = in_words(failure)
    known = schedule.reason == words
    heals = passes(failure)
    # A fault that waits for a person waits no longer because something else failed before it.
    times = schedule.failures + 1 if heals or known else 1
    coin = fraction(bench.project.seed, bench.project.uid, "retry", schedule.failures)
    retry_at = tx.now + pause_after(times, heals=heals, coin=coin)
    away = tx.projects.absence(bench.project.id, bench.settings.config.labeler.kind)
    if away is not None and away.next_attempt_at is not None and away.next_attempt_at > tx.now:
        # The labeler is tried at times of its own, shared by all who need it.
        retry_at = away.next_attempt_at
    tx.schedules.failed(bench.project.id, words, retry_at)
    if not known:
        tx.results.note(bench.project.id, "schedule-failed", words)
    bench.say("failed", f"{words} (tried again at {retry_at:%H:%M:%S} UTC)")
