"""The law of terms: what people say holds over the file, at once, for everybody, and leaves a trace."""

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from workbench.config.load import parse_config
from workbench.config.model import Config
from workbench.domain.budget import affordable
from workbench.domain.errors import BudgetExhausted
from workbench.domain.records import Project, TaskKind
from workbench.domain.schedule import Rules
from workbench.reports.budget_page import budget_page
from workbench.steps.terms import caps_in_force, change_terms, in_force, note_file, rules_in_force
from workbench.storage.diary import Wanted
from workbench.storage.store import Store, Transaction


def _config(**budget: object) -> Config:
    project = {"name": "spots", "task": "feature-classification", "classes": ["a", "b"]}
    return parse_config({"project": project, "budget": budget}, Path("workbench.toml"))


@pytest.fixture
def project(store: Store) -> Project:
    with store.begin() as tx:
        return tx.projects.ensure("spots", kind=TaskKind.FEATURES, classes=("a", "b"), seed=1)


def _said(store: Store, project: Project) -> list[tuple[str, str, str | None]]:
    with store.read() as tx:
        return [(e.kind, e.message, e.actor) for e in tx.facts(project).trail.events(Wanted(limit=50))]


def test_what_people_say_holds_over_the_file_until_it_is_given_back(store: Store, project: Project) -> None:
    file = _config(max_labels=1000, max_cost=50.0)
    ada, ben = Store(store.engine, actor="ada"), Store(store.engine, actor="ben")
    with ada.begin() as tx:
        change = change_terms(tx, project, file, {"max_labels": 1500, "deadline": date(2026, 12, 31)})
    assert change.words == "Raised max_labels from 1000 to 1500, changed deadline from none to 2026-12-31"
    with ben.begin() as tx:
        assert change_terms(tx, project, file, {"max_cost": None}).words == "Changed max_cost from 50 to none"
        assert not change_terms(tx, project, file, {"max_labels": 1500, "max_cost": None}).words
        terms = in_force(tx, project, file)
        page = budget_page(tx, project, file)
    assert (terms.max_labels, terms.max_cost, terms.deadline) == (1500, None, date(2026, 12, 31))
    assert terms.changed == {"max_labels", "max_cost", "deadline"}
    who = {row.key: (row.value, row.file, row.changed_by) for row in page.terms}
    assert who["max_labels"] == (1500, 1000, "ada")
    assert who["max_cost"] == (None, 50.0, "ben")
    assert who["floor"] == (0.8, 0.8, None)
    with ben.begin() as tx:
        back = change_terms(tx, project, file, {}, back=["max_labels", "max_hours"])
        assert back.words == "Lowered max_labels from 1500 to 1000; max_labels as in workbench.toml again"
        assert in_force(tx, project, file).max_labels == 1000
        assert in_force(tx, project, _config(max_labels=7)).max_labels == 7
        assert change_terms(tx, project, file, {}, back=["max_labels"]).words == ""
    assert [(kind, actor) for kind, _, actor in _said(store, project)] == [
        ("terms-changed", "ada"),
        ("terms-changed", "ben"),
        ("terms-changed", "ben"),
    ]


def test_an_edited_file_is_noted_once_and_old_moments_keep_what_held(store: Store, project: Project) -> None:
    for _ in range(2):
        with store.begin() as tx:
            note_file(tx, project, _config(max_labels=10))
            first = tx.now
    assert _said(store, project) == []
    for _ in range(2):
        with Store(store.engine, actor="cleo").begin() as tx:
            note_file(tx, project, _config(max_labels=20, max_cost=5))
    words = "workbench.toml was edited: raised max_labels from 10 to 20, changed max_cost from none to 5"
    assert _said(store, project) == [("terms-file", words, "cleo")]
    with store.read() as tx:
        assert tx.facts(project, at=first).terms.now().max_labels == 10
        assert tx.facts(project).terms.now().max_labels == 20


def test_reports_read_the_terms_that_are_enforced(store: Store, project: Project) -> None:
    file = _config(max_labels=10)
    with store.begin() as tx:
        note_file(tx, project, file)
        change_terms(tx, project, file, {"max_labels": None, "target": 0.9, "floor": 0.5})
    with store.read() as tx:
        assert tx.facts(project).terms.now() == in_force(tx, project, file)


def test_a_deadline_and_a_target_that_people_set_end_rounds_too(store: Store, project: Project) -> None:
    rules = Rules(deadline=date(2026, 1, 1), target=0.8, after_close=True)
    with store.begin() as tx:
        assert rules_in_force(tx, project, rules) == rules
        change_terms(tx, project, _config(), {"deadline": date(2027, 1, 1), "target": None})
        assert rules_in_force(tx, project, rules) == Rules(deadline=date(2027, 1, 1), after_close=True)


def test_a_stopped_schedule_and_a_cap_below_what_is_spent_are_told(store: Store, project: Project) -> None:
    with store.begin() as tx:
        tx.schedules.ensure(project.id)
        tx.schedules.stop(project.id, "the deadline was 2026-01-01")
        change = change_terms(tx, project, _config(), {"deadline": date(2027, 1, 1)})
    assert "The schedule has stopped (the deadline was 2026-01-01)" in change.notes[0]


def test_two_people_who_change_different_terms_at_once_both_have_their_way(
    store: Store, project: Project
) -> None:
    changes: list[dict[str, object]] = [
        {"max_labels": 5},
        {"max_cost": 6.0},
        {"max_hours": 7.0},
        {"floor": 0.3},
    ]
    ready = threading.Barrier(len(changes))

    def act(change: dict[str, object]) -> None:
        ready.wait()
        with store.begin() as tx:
            change_terms(tx, project, _config(), change)

    _together(*((act, change) for change in changes))
    with store.read() as tx:
        assert tx.terms.changes(project.id) == {key: v for change in changes for key, v in change.items()}


@pytest.mark.parametrize("caps", [(30, 12), (5, 40), (20, 21)])
def test_a_cap_that_is_changed_while_many_reserve_is_never_overrun(
    store: Store, project: Project, caps: tuple[int, int]
) -> None:
    """The ledger is the audit trail: it says in which order reservations and the change were written."""
    before, after = caps
    file = _config(max_labels=before)
    ready = threading.Barrier(5)

    def reserve(_: int) -> None:
        ready.wait()
        for _turn in range(12):
            with store.begin() as tx:
                tx.projects.lock(project.id)
                cap = caps_in_force(tx, project, file)
                spent = tx.results.spending(project.id)._replace(labels=_reserved(tx, project))
                try:
                    size = affordable(
                        3, spent=spent, promised=tx.wanted.promised(project.id, 1), overlap=1, caps=cap,
                        prices=file.budget.prices,
                    )  # fmt: skip
                except BudgetExhausted:
                    continue
                tx.results.note(project.id, "reserved", str(size))

    def change(_: int) -> None:
        ready.wait()
        with store.begin() as tx:
            change_terms(tx, project, file, {"max_labels": after})

    _together(*((reserve, number) for number in range(4)), (change, 0))
    with store.read() as tx:
        trail = tx.results.events(project.id, Wanted())
    total, cap = 0, before
    for event in trail:
        if event.kind == "terms-changed":
            cap = after
        else:
            total += int(event.message)
            assert total <= cap, "reserved above the cap that held in that place of the trail"
    assert cap == after
    if after > before:
        assert total == after, "a cap that was raised counts at once"


def _reserved(tx: Transaction, project: Project) -> int:
    return sum(int(event.message) for event in tx.results.events(project.id, Wanted(kind="reserved")))


def _together(*works: tuple[Callable[[Any], None], Any]) -> None:
    faults: list[BaseException] = []

    def guarded(work: Callable[[Any], None], argument: Any) -> None:
        try:
            work(argument)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=guarded, args=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults
