"""Compare database and labeler item by item: say what is wrong and what is meant to be, and mend what can be.

Annotations are read first, so that nothing that people did is taken for missing; then tasks are counted; then
what is wrong is mended, each thing after another look. Killed anywhere, the next run does what is left; run
twice, the second finds nothing to do.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.labelers.records import ProjectFacts
from workbench.domain.errors import RoundProblem
from workbench.domain.reconcile import DIAGNOSTIC, Finding, Kind, Outcome, Reconciled
from workbench.domain.records import LabelerLink
from workbench.domain.rounds import Round
from workbench.steps.away import answering
from workbench.steps.begun import as_begun
from workbench.steps.leases import lease
from workbench.steps.parts import Parts
from workbench.steps.reconcile_answers import compare_absent, compare_answers, not_sent
from workbench.steps.reconcile_attempt import EVENT, done, note
from workbench.steps.reconcile_project import compare_setup, gone, start_anew, target_of
from workbench.steps.reconcile_queue import compare_queue
from workbench.steps.reconcile_repair import plan_missing, repair
from workbench.steps.reconcile_tasks import Survey, compare_tasks, is_served, open_shelves, survey

#: Clocks of two machines are never quite the same.
CLOCKS_DIFFER = timedelta(minutes=1)
#: Mended by writing to the labeler what only fits our own labeling interface.
SENT = frozenset({Kind.MISSING, Kind.OUT_OF_ORDER, Kind.RELEASE, Kind.SETTINGS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is compared."""

    link: LabelerLink
    #: The rounds that are meant; those that were sent, by their key there; and the keys of all others.
    rounds: tuple[Round, ...]
    sent: dict[str, Round]
    others: frozenset[str]
    #: The one whose tasks wait for answers.
    live: Round | None
    #: Whether one round is meant, and strangers are of no interest.
    only: bool
    began: datetime


def reconcile(
    parts: Parts, *, fix: bool = False, number: int | None = None, new_project: bool = False
) -> Reconciled:
    """Compare everything with what the labeler holds; with ``fix`` mend what needs no person.

    Args:
        number: Only this round.
        new_project: Go on in a new project of the labeler, if ours is gone there.

    Raises:
        RoundProblem: There is no such round.
        RoundBusy: Another process works on the round that is served now.
        LabelerError: The labeler is away or says no; what was mended so far stays.
    """
    parts = as_begun(parts)
    scope = _scope(parts, number)
    if scope is None:
        return Reconciled(findings=())
    with answering(parts):
        facts = parts.labeler.describe_project(scope.link.external_id)
    if facts is None and fix and new_project:
        start_anew(parts)
        return reconcile(parts, fix=True, number=number)
    if facts is None:
        found = Reconciled(findings=(gone(parts, scope.link.external_id),))
    else:
        found = _compare(parts, scope, facts, fix=fix)
    queue = compare_queue(parts, scope.sent, fix=fix)
    found = replace(found, findings=(*found.findings, *queue))
    with parts.store.begin() as tx:
        tx.results.note(parts.project.id, EVENT, found.summary())
        content = {**found.content(), "round": number, "fix": fix}
        tx.evidence.keep_diagnostic(parts.project.id, DIAGNOSTIC, content)
    return found


def _scope(parts: Parts, number: int | None) -> Scope | None:
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, parts.labeler.name)
        every = tx.rounds.all(parts.project.id)
        began = tx.now
    rounds = tuple(found for found in every if number is None or found.number == number)
    if number is not None and not rounds:
        raise RoundProblem(f"There is no round {number}. Type `workbench round list` to see all.")
    if link is None:
        return None
    sent = {parts.round_key(found): found for found in rounds if not not_sent(found)}
    return Scope(
        link=replace(link, external_id=target_of(parts, link)),
        rounds=rounds,
        sent=sent,
        others=frozenset(parts.round_key(found) for found in every) - sent.keys(),
        live=next((found for found in rounds if is_served(found)), None),
        only=number is not None,
        began=began,
    )


def _compare(parts: Parts, scope: Scope, facts: ProjectFacts, *, fix: bool) -> Reconciled:
    setup = compare_setup(parts, facts, scope.live, fix=fix)
    if facts.problem is not None:
        # Without a question nothing there can be read as an answer.
        return Reconciled(findings=tuple(setup.findings))
    findings = [*setup.findings, *(_unsent(found, scope) for found in scope.rounds if not_sent(found))]
    findings += plan_missing(parts, scope.sent.values(), fix=fix)
    answers = compare_answers(parts, scope.link, scope.sent, fix=fix)
    findings += [*answers.findings, *_cursor(parts, scope, answers.newest, fix=fix)]
    with _held(parts, scope.live if fix else None) as held:
        seen = survey(
            parts, scope.link, open_shelves(parts, scope.sent, scope.live), scope.others, only=scope.only
        )
        findings += compare_absent(parts, seen.absent(), fix=fix)
        seen = _again(parts, scope, seen) if fix else seen
        findings += [*_still_strange(parts, seen.findings), *compare_tasks(seen)]
        findings = findings if setup.fits else [_waiting(finding) for finding in findings]
        if fix:
            findings = repair(parts, scope.link, seen.shelves, findings, held)
    here = sum(len(shelf.tasks) for shelf in seen.shelves.values())
    return Reconciled(findings=tuple(findings), tasks_here=here, tasks_there=seen.there)


@contextmanager
def _held(parts: Parts, live: Round | None) -> Iterator[Round | None]:
    """Hold the round that is served while its tasks are mended: nobody else sends or settles it meanwhile."""
    if live is None:
        yield None
        return
    with lease(parts, live, recording=False) as held:
        yield held


def _again(parts: Parts, scope: Scope, seen: Survey) -> Survey:
    """The same, with the tasks as they stand in the database by now."""
    shelves = open_shelves(parts, scope.sent, scope.live)
    for key, shelf in shelves.items():
        shelf.copies = seen.shelves[key].copies
    return seen._replace(shelves=shelves)


def _still_strange(parts: Parts, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out the tasks of a round that another process has made while we looked."""
    with parts.store.read() as tx:
        keys = {parts.round_key(found) for found in tx.rounds.all(parts.project.id)}
    for finding in findings:
        if finding.outcome is Outcome.PERSON and any(f"'{key}'" in finding.found for key in keys):
            continue
        yield finding


def _waiting(finding: Finding) -> Finding:
    """What can not be sent as long as the labeling interface is not ours."""
    if finding.outcome is not Outcome.FIXABLE or finding.kind not in SENT:
        return finding
    return replace(finding, outcome=Outcome.PERSON, action="waits until the labeling interface is mended")


def _unsent(found: Round, scope: Scope) -> Finding:
    busy = found.lease_until is not None and found.lease_until > scope.began
    return Finding(
        kind=Kind.UNSENT,
        outcome=Outcome.LEFT if busy else Outcome.PERSON,
        found=f"Round {found.number} is '{found.state}', and its tasks are not at the labeler yet",
        action=f"{found.lease_owner} works on it" if busy else "Type `workbench round resume`.",
        round=found.number,
    )


def _cursor(parts: Parts, scope: Scope, newest: datetime | None, *, fix: bool) -> list[Finding]:
    """A place for reading on that lies in the future would pass over what is done until then."""
    latest = scope.began + CLOCKS_DIFFER
    findings = []
    if newest is not None and newest > latest:
        ahead = (
            f"The labeler's newest change is of {newest:%Y-%m-%d %H:%M:%S} UTC: still to come by our clock"
        )
        findings.append(
            Finding(
                kind=Kind.CURSOR,
                outcome=Outcome.LEFT,
                found=ahead,
                action="Set the clock of one of the two machines. Nothing is lost: it is read again.",
            )
        )
    if scope.link.cursor is not None and scope.link.cursor > latest:
        found = [
            Finding(
                kind=Kind.CURSOR,
                outcome=Outcome.FIXABLE,
                found=f"The labeler was read up to {scope.link.cursor:%Y-%m-%d %H:%M:%S} UTC: still to come",
                action="is read on from now",
            )
        ]
        findings += _move_cursor(parts, scope, found) if fix else found
    return findings


def _move_cursor(parts: Parts, scope: Scope, found: Sequence[Finding]) -> list[Finding]:
    fixed = done(found)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        # All that was there has just been read.
        tx.projects.move_cursor(parts.project.id, scope.link.labeler, scope.began)
        note(parts, tx, fixed)
    return fixed
