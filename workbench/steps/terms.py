"""The terms of the budget that are in force: what the configuration says, under what people have changed.

Whoever reserves reads them in the transaction that reserves, under the project's lock; whoever changes them
holds the same lock. So a cap holds from the moment it is changed, and no two processes can pass it together.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NamedTuple

from workbench.config.model import Config
from workbench.domain.budget import Caps, expected
from workbench.domain.records import Project
from workbench.domain.schedule import Rules, ScheduleState
from workbench.domain.terms import Terms
from workbench.storage.store import Transaction

CHANGED, FILE_CHANGED = "terms-changed", "terms-file"


class Change(NamedTuple):
    """What came of a change of terms, in words; no words if nothing is different."""

    words: str
    #: What whoever changed them should know.
    notes: tuple[str, ...]


def in_force(tx: Transaction, project: Project, config: Config) -> Terms:
    """The terms that hold now."""
    return overlaid(config.terms, tx.terms.changes(project.id))


def overlaid(file: Terms, changes: Mapping[str, Any]) -> Terms:
    """What a configuration says, under what people have changed."""
    return Terms.of({**file.content(), **changes}, changed=frozenset(changes))


def caps_in_force(tx: Transaction, project: Project, config: Config) -> Caps:
    """The hard limits that hold now."""
    return in_force(tx, project, config).caps


def rules_in_force(tx: Transaction, project: Project, rules: Rules) -> Rules:
    """When rounds start and end: a deadline or a target that a person has set ends them too."""
    changes = tx.terms.changes(project.id)
    aims = {key: changes[key] for key in ("deadline", "target") if key in changes}
    if aims.get("deadline") is not None:
        aims["deadline"] = date.fromisoformat(aims["deadline"])
    return replace(rules, **aims)


def note_file(tx: Transaction, project: Project, config: Config) -> None:
    """Keep what the configuration says now; a change of it is told in the audit trail."""
    before, now = tx.terms.file(project.id), config.terms.content()
    if before == now:
        return
    tx.terms.note_file(project.id, now)
    if before is not None:
        words = _words(Terms.of(before), config.terms, now.keys())
        tx.results.note(project.id, FILE_CHANGED, f"workbench.toml was edited: {words}")


def change_terms(
    tx: Transaction,
    project: Project,
    config: Config,
    changes: Mapping[str, Any],
    *,
    back: Collection[str] = (),
) -> Change:
    """Have people's terms hold instead of the configuration's, and say so in the audit trail.

    Done twice, the second time changes nothing.

    Args:
        changes: Values as ``workbench.config.terms`` reads them; None for no limit.
        back: These are given back to the configuration.
    """
    tx.projects.lock(project.id)
    note_file(tx, project, config)
    held = tx.terms.changes(project.id)
    plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in changes.items()}
    before = overlaid(config.terms, held)
    wanted = {key: value for key, value in {**held, **plain}.items() if key not in back}
    after = overlaid(config.terms, wanted)
    if wanted == held or (before.content() == after.content() and not set(held) - set(wanted)):
        return Change("", ())
    tx.terms.change(project.id, plain, back=back)
    words = _words(before, after, wanted.keys() | held.keys())
    given = sorted(set(held) & set(back))
    parts = [words, f"{', '.join(given)} as in workbench.toml again" if given else ""]
    said = "; ".join(part for part in parts if part)
    said = said[:1].upper() + said[1:]
    tx.results.note(project.id, CHANGED, said)
    return Change(said, _notes(tx, project, config, after))


def _words(before: Terms, after: Terms, keys: Collection[str]) -> str:
    """What is different, as in 'raised max_labels from 1000 to 1500'."""
    old, new = before.content(), after.content()
    return ", ".join(
        f"{_verb(old[key], new[key])} {key} from {shown(old[key])} to {shown(new[key])}"
        for key in new
        if key in keys and old[key] != new[key]
    )


def _verb(old: object, new: object) -> str:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return "raised" if new > old else "lowered"
    return "changed"


def shown(value: object) -> str:
    """A term as people write it."""
    if value is None:
        return "none"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _notes(tx: Transaction, project: Project, config: Config, terms: Terms) -> tuple[str, ...]:
    spent = tx.results.spending(project.id)
    prices = config.budget.prices
    promised = tx.wanted.promised(project.id, config.labeler.overlap)
    total = spent.plus(expected(promised, spent=spent, prices=prices))
    found = {
        "max_labels": (total.labels, terms.max_labels),
        "max_cost": (total.cost(prices), terms.max_cost),
        "max_hours": (total.seconds / 3600, terms.max_hours),
    }
    notes = [
        f"{shown(round(used, 2))} is spent or promised already, and {key} is {shown(cap)}: "
        "nothing further is bought, and what is asked for already is still paid for"
        for key, (used, cap) in found.items()
        if cap is not None and used >= cap
    ]
    if terms.deadline is not None and tx.now.date() > terms.deadline:
        notes.append(
            f"The deadline {terms.deadline} is over: no round starts by itself any more, "
            "and people may still start one"
        )
    schedule = tx.schedules.get(project.id)
    if schedule is not None and schedule.state is ScheduleState.STOPPED:
        notes.append(
            f"The schedule has stopped ({schedule.reason}); `workbench schedule resume` has it look again"
        )
    return tuple(notes)
