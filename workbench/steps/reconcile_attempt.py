"""Try a repair inside a transaction: kept when asked for, else taken back once it has shown what it does."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from workbench.domain.reconcile import Finding, Kind, Outcome, in_words
from workbench.steps.parts import Parts
from workbench.storage.store import Transaction

EVENT = "reconcile"


class _TakeBack(Exception):
    """Ends a transaction that was only a trial."""


@contextmanager
def attempt(parts: Parts, *, keep: bool) -> Iterator[Transaction]:
    """Open a transaction that holds the project; without ``keep`` nothing of it lasts."""
    try:
        with parts.store.begin() as tx:
            tx.projects.lock(parts.project.id)
            yield tx
            if not keep:
                raise _TakeBack
    except _TakeBack:
        return


def done(findings: Iterable[Finding]) -> list[Finding]:
    """What could be fixed is; the rest stays as it was found."""
    return [finding.fixed() if finding.outcome is Outcome.FIXABLE else finding for finding in findings]


def note(parts: Parts, tx: Transaction, findings: Iterable[Finding]) -> None:
    """Write into the audit trail what was fixed: a line for each kind and round."""
    groups: dict[tuple[Kind, int | None], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.outcome is Outcome.FIXED:
            groups[finding.kind, finding.round].append(finding)
    numbers = {found.number: found.id for found in tx.rounds.all(parts.project.id)} if groups else {}
    for (_, number), group in groups.items():
        round_id = numbers.get(number) if number is not None else None
        tx.results.note(parts.project.id, EVENT, in_words(group), round_id=round_id)
