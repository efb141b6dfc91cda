"""What one look at one project has at hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from workbench.bootstrap import open_parts
from workbench.config.cron import next_tick
from workbench.config.model import Settings
from workbench.domain.decisions import Decision, Facts, decide, passes_over
from workbench.domain.records import Project
from workbench.domain.schedule import Following, Rules, Schedule, aim, steady
from workbench.scheduler.diary import Diary
from workbench.steps.holders import is_gone
from workbench.steps.parts import Parts
from workbench.steps.schedule_facts import facts_of
from workbench.steps.terms import rules_in_force
from workbench.storage.store import Store, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One project with its settings as they are now, and whoever looks at it."""

    path: Path
    settings: Settings
    store: Store
    project: Project
    worker: str
    diary: Diary
    #: Told which database a piece of work uses, and None after it.
    uses: Callable[[Store | None], None]

    @property
    def rules(self) -> Rules:
        """What [schedule] says now."""
        return self.settings.config.schedule.rules

    @property
    def following(self) -> Following | None:
        """The next tick after a moment; None without a cron expression."""
        cron, timezone = self.rules.cron, self.rules.timezone
        return partial(next_tick, cron, timezone) if cron else None

    def say(self, kind: str, words: str) -> None:
        """Write a line about this project."""
        self.diary.say(kind, words, self.project.name)

    @contextmanager
    def parts(self) -> Iterator[Parts]:
        """Build what a piece of work needs, and let go of it after it."""
        with open_parts(self.path, actor=self.worker) as parts:
            self.uses(parts.store)
            try:
                yield parts
            finally:
                self.uses(None)

    def rules_in(self, tx: Transaction) -> Rules:
        """What [schedule] says, under what people have changed of it."""
        return rules_in_force(tx, self.project, self.rules)

    def next(self) -> tuple[Decision, Facts]:
        """Bring the row up to date and decide what is done now, in one transaction."""
        with self.store.begin() as tx:
            tx.projects.lock(self.project.id)
            schedule = tx.schedules.ensure(self.project.id)
            now = steady(tx.now, schedule)
            self._aim(tx, schedule, aim(schedule.next_fire_at, now, self.following))
            facts, rules = self.facts(tx), self.rules_in(tx)
            skipped = passes_over(rules, facts)
            if skipped is not None:
                self._aim(tx, facts.schedule, self.tick_after(facts.now))
                tx.results.note(self.project.id, "skipped", skipped, round_id=_id(facts))
                self.say("skipped", skipped)
                facts = self.facts(tx)
            return decide(rules, facts), facts

    def tick_after(self, now: datetime) -> datetime | None:
        """The next tick from now."""
        return self.following(now) if self.following else None

    def facts(self, tx: Transaction) -> Facts:
        """What the database knows now."""
        return facts_of(tx, self.project, tx.schedules.ensure(self.project.id), is_gone)

    @staticmethod
    def _aim(tx: Transaction, schedule: Schedule, tick: datetime | None) -> None:
        if tick != schedule.next_fire_at:
            tx.schedules.aim(schedule, tick)


def _id(facts: Facts) -> int | None:
    return facts.current.id if facts.current is not None else None
