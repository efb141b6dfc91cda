"""Anybody does anything, in any order, while anything goes wrong: the laws hold after every step.

Users, annotators, mischief at the labeler and faults are the rules of a state machine over the real loop with
the embedded labeler. Hypothesis looks for a sequence after which a law is broken, and makes it short.
``FAULT_EXAMPLES`` sets how many sequences are tried.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connectors.errors import ConnectorError
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.faults.laws import Row, Witness, check_budget
from tests.faults.little_project import CLASSES, add_items, fill, write_config
from tests.faults.shaky import Clock, Killed, MortalStore, ShakyLabeler, Trouble, Wrong
from workbench import loop
from workbench.bootstrap import open_parts, remove_from_pool
from workbench.domain.errors import WorkbenchError
from workbench.steps.holders import this_process
from workbench.steps.parts import Parts
from workbench.steps.reconcile import reconcile
from workbench.storage.engine import make_engine
from workbench.storage.store import Transaction

pytestmark = pytest.mark.chaos

EXAMPLES = int(os.environ.get("FAULT_EXAMPLES", "25"))
MAX_LABELS = 14
FIRST_ROWS, MORE_ROWS = range(24), range(24, 36)
PEOPLE = ("ada", "ben")
HOUR = 3600.0
#: Shortening a failure takes minutes: FAULT_SHORTEN=1 asks for it.
PHASES = [Phase.generate, *([Phase.shrink] if "FAULT_SHORTEN" in os.environ else [])]
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize="FAULT_EXAMPLES" not in os.environ,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
CALLS = st.tuples(st.integers(0, 6), st.sampled_from(list(Wrong)))
COMMITS = st.tuples(st.integers(0, 14), st.sampled_from([Wrong.KILLED_BEFORE, Wrong.KILLED_AFTER]))


class AnySequence(RuleBasedStateMachine):
    """One project, its processes, its people, and what goes wrong."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.held = ExitStack()
        directory = Path(self.held.enter_context(tempfile.TemporaryDirectory(prefix="sequence-")))
        self.directory = directory / "project"
        shutil.copytree(self.template, self.directory)
        self.config = self.directory / "workbench.toml"
        self.clock, self.there = Clock(), Clock()
        self.trouble = Trouble()
        self.labeler = self.held.enter_context(EmbeddedLabeler(clock=self.there))
        self.numbers = count(1)
        self.plain = self.held.enter_context(open_parts(self.config, labeler=self.labeler))
        self.witness = Witness(self.ask_database, overlap=1, max_labels=MAX_LABELS)
        self.chosen = 0
        self.parts = self.process("elsewhere")

    # Processes

    def process(self, host: str, trouble: Trouble | None = None) -> Parts:
        """A new process: on another host nobody can see whether it has died, on this one it has."""
        engine = make_engine(f"sqlite:///{self.directory / 'workbench.db'}")
        self.held.callback(engine.dispose)
        sa.event.listen(engine, "connect", _without_waiting_for_the_disk)
        store = MortalStore(engine, self.clock, trouble or self.trouble, self.watch)
        return replace(
            self.plain,
            store=store,
            owner=f"{host}:{2**22 + next(self.numbers)}:1",
            labeler=ShakyLabeler(self.labeler, store),
        )

    def act(self, action: Callable[[Parts], Any]) -> bool:
        """Have a process do something; says whether it came to the end of it."""
        try:
            action(self.parts)
        except (WorkbenchError, ConnectorError):
            return False
        except Killed:
            self.parts = self.process("elsewhere" if self.trouble.calls else this_process().partition(":")[0])
            return False
        finally:
            self.trouble.calls = self.trouble.commits = self.trouble.other = None
        return True

    def watch(self, tx: Transaction) -> None:
        """See a transaction before it ends: whoever chooses must not choose too much."""
        connection = tx.tasks._connection

        def ask(query: str) -> list[Row]:
            return [dict(row._mapping) for row in connection.execute(sa.text(query))]

        ((chosen,),) = (row.values() for row in ask("SELECT count(*) AS n FROM selection"))
        if chosen > self.chosen:
            check_budget(ask, MAX_LABELS)
        self.chosen = chosen

    def ask_database(self, query: str) -> list[Row]:
        with self.plain.store.read() as tx:
            connection = tx.tasks._connection
            return [dict(row._mapping) for row in connection.execute(sa.text(query))]

    # Users

    @initialize(days=st.integers(0, 2))
    def some_days_have_passed(self, days: int) -> None:
        for day in range(days):
            self.work_goes_on(4, CLASSES[1 + day], True)

    @rule(size=st.integers(1, 5))
    def asks(self, size: int) -> None:
        self.act(lambda parts: loop.ask(parts, size))

    @rule(close=st.booleans())
    def tells(self, close: bool) -> None:
        calm = self.trouble.calls is None and self.trouble.commits is None
        done = self.act(lambda parts: loop.tell(parts, close=close))
        if done and calm:
            self.everything_is_known()

    @rule()
    def resumes(self) -> None:
        self.act(loop.resume)

    @rule(sure=st.integers(0, 5))
    def cancels(self, sure: int) -> None:
        if sure == 0:
            self.act(loop.cancel)

    @rule(size=st.integers(2, 5), label=st.sampled_from(CLASSES), close=st.booleans())
    def work_goes_on(self, size: int, label: str, close: bool) -> None:
        """A working day: what is open is gone on with, labeled and brought in."""
        if self.open_round() is None:
            self.act(lambda parts: loop.ask(parts, size))
        elif self.open_round() != "labeling":
            self.act(loop.resume)
        self.label("ada", label, 2)
        self.label("ben", CLASSES[0], 5)
        self.tells(close)

    @rule(fix=st.booleans())
    def reconciles(self, fix: bool) -> None:
        self.act(lambda parts: reconcile(parts, fix=fix))

    @rule(row=st.integers(0, 23))
    def removes_an_item(self, row: int) -> None:
        remove_from_pool(self.config, [f"item-{row:02d}"])

    @rule()
    def adds_items(self) -> None:
        add_items(self.config, MORE_ROWS)

    # Annotators

    @rule(who=st.sampled_from(PEOPLE), label=st.sampled_from(CLASSES), times=st.integers(1, 5))
    def label(self, who: str, label: str, times: int) -> None:
        person = embedded_annotator(self.labeler, who)
        for _ in range(times):
            if self.project_there() and (served := person.next_task("1")):
                person.annotate(served.task_id, label, seconds=2.0)

    @rule(who=st.sampled_from(PEOPLE))
    def skip(self, who: str) -> None:
        person = embedded_annotator(self.labeler, who)
        if self.project_there() and (served := person.next_task("1")):
            person.skip(served.task_id, seconds=1.0)

    @rule(which=st.integers(0, 50), result=st.sampled_from([[], "nonsense", [{"foo": 1}]]))
    def answers_nonsense(self, which: int, result: object) -> None:
        if task := self.any_of("tasks", which):
            embedded_annotator(self.labeler, "eve").inject(task, result)

    @rule(which=st.integers(0, 50), label=st.sampled_from(CLASSES), who=st.sampled_from(PEOPLE))
    def labels_any_task(self, which: int, label: str, who: str) -> None:
        if task := self.any_of("tasks", which):
            embedded_annotator(self.labeler, who).annotate(task, label, seconds=3.0)

    @rule(which=st.integers(0, 50), label=st.sampled_from(CLASSES))
    def edits(self, which: int, label: str) -> None:
        if annotation := self.any_of("annotations", which):
            embedded_annotator(self.labeler, "ada").edit(annotation, label)

    @rule(which=st.integers(0, 50))
    def deletes_an_answer(self, which: int) -> None:
        if annotation := self.any_of("annotations", which):
            embedded_annotator(self.labeler, "ada").delete(annotation)

    # Mischief at the labeler

    @rule(which=st.integers(0, 50))
    def deletes_a_task(self, which: int) -> None:
        if task := self.any_of("tasks", which):
            self.labeler.delete_tasks("1", [task])

    @rule(which=st.integers(0, 50), key=st.sampled_from([None, "a stranger"]))
    def imports_a_task_again(self, which: int, key: str | None) -> None:
        if task := self.any_of("tasks", which):
            with self.labeler.store.write() as database:
                (at,) = self.labeler.store.moments(database)
                database.execute(
                    "INSERT INTO tasks (project, item_key, round_key, content, updated_at) "
                    "SELECT project, coalesce(?, item_key), round_key, content, ? FROM tasks WHERE id = ?",
                    (key, at, task),
                )

    # Faults

    @rule(plan=CALLS)
    def a_call_goes_wrong(self, plan: tuple[int, Wrong]) -> None:
        self.trouble.calls = plan
        if plan[1] in (Wrong.OVERTAKEN_BEFORE, Wrong.OVERTAKEN_AFTER):
            self.trouble.other = self.somebody_else_works

    @rule(plan=COMMITS)
    def a_commit_goes_wrong(self, plan: tuple[int, Wrong]) -> None:
        self.trouble.commits = plan

    @precondition(lambda self: self.trouble.late)
    @rule()
    def the_late_request_arrives(self) -> None:
        self.deliver()

    @rule(seconds=st.sampled_from([-HOUR, -60.0, 60.0, HOUR, 30 * HOUR]), ours=st.booleans())
    def a_clock_jumps(self, seconds: float, ours: bool) -> None:
        (self.clock if ours else self.there).jump(seconds)

    def somebody_else_works(self) -> None:
        """Another process, after the lease of the first has run out."""
        self.clock.jump(2 * HOUR)
        other = self.process("third", Trouble())
        for action in (loop.resume, lambda parts: loop.tell(parts, close=True), loop.ask):
            try:
                action(other)
            except (WorkbenchError, ConnectorError):
                continue

    def deliver(self) -> None:
        """Whatever was on its way to the labeler gets there."""
        try:
            self.trouble.arrive()
        except ConnectorError:
            return

    # Laws

    @invariant()
    def the_laws_hold(self) -> None:
        self.witness.look()

    def everything_is_known(self) -> None:
        """After an undisturbed pull, the database says what the labeler holds of our tasks."""
        known = {
            (row["key"], row["number"])
            for row in self.ask_database(
                "SELECT i.key, r.number FROM task t JOIN item i ON i.id = t.item_id "
                "JOIN round r ON r.id = t.round_id"
            )
        }
        newest: dict[str, Row] = {}
        for row in self.ask_database("SELECT * FROM annotation ORDER BY updated_at, deleted"):
            newest[row["external_id"]] = row
        query = (
            "SELECT a.id, a.skipped, a.result, t.item_key, t.round_key FROM annotations a "
            "JOIN tasks t ON t.id = a.task"
        )
        for row in self.labeler.store.read(query):
            if (row["item_key"], int(row["round_key"][6:10])) not in known:
                continue
            ours = newest.get(str(row["id"]))
            assert ours is not None, f"annotation {row['id']} of {row['item_key']} is lost"
            assert not ours["deleted"], f"annotation {row['id']} of {row['item_key']} is lost again"
            assert bool(ours["skipped"]) == bool(row["skipped"])
            assert ours["label"] == _choice(json.loads(row["result"])), f"annotation {row['id']}"
        self.no_double_is_free()

    def no_double_is_free(self) -> None:
        """No task that waits is served twice."""
        waiting = {
            (row["key"], row["number"])
            for row in self.ask_database(
                "SELECT i.key, r.number FROM task t JOIN item i ON i.id = t.item_id "
                "JOIN round r ON r.id = t.round_id WHERE t.state IN ('open', 'invalid')"
            )
        }
        copies: dict[tuple[str, int], int] = {}
        query = "SELECT * FROM tasks WHERE NOT EXISTS (SELECT * FROM annotations WHERE task = tasks.id)"
        for row in self.labeler.store.read(query):
            mark = (row["item_key"], int(row["round_key"][6:10]))
            copies[mark] = copies.get(mark, 0) + 1
        doubled = {mark: n for mark, n in copies.items() if mark in waiting and n > 1}
        assert not doubled, f"served twice: {doubled}"

    # The end

    def teardown(self) -> None:
        try:
            self.it_comes_to_an_end()
        finally:
            self.held.close()

    def it_comes_to_an_end(self) -> None:
        """Nothing is stuck: when nothing goes wrong any more, whatever was begun can be finished."""
        self.deliver()
        self.clock.jump(2 * HOUR)
        self.trouble = Trouble()
        self.parts = self.process("at last")
        for _ in range(4):
            if self.open_round() is None:
                break
            if not self.act(loop.resume) and self.open_round() in ("planned", "scored"):
                assert self.act(loop.cancel), "it can neither go on nor be given up"
            self.label("ada", CLASSES[0], 50)
            self.act(lambda parts: loop.tell(parts, close=True))
        assert self.open_round() is None, f"stuck in {self.open_round()}"
        assert self.act(loop.tell), "a last look fails"
        self.everything_is_known()
        self.witness.look()
        before = len(self.ask_database("SELECT id FROM annotation"))
        told = loop.tell(self.parts)
        assert (told.pulled.versions, told.pulled.labels) == (0, 0), "the same answers came in twice"
        assert len(self.ask_database("SELECT id FROM annotation")) == before

    # Help

    def open_round(self) -> str | None:
        rows = self.ask_database("SELECT * FROM round WHERE state NOT IN ('closed', 'cancelled')")
        return next((str(row["failed_from"] or row["state"]) for row in rows), None)

    def project_there(self) -> bool:
        return bool(self.labeler.store.read("SELECT * FROM projects"))

    def any_of(self, table: str, which: int) -> str | None:
        rows = self.labeler.store.read(f"SELECT id FROM {table} ORDER BY id DESC")
        return str(rows[which % len(rows)]["id"]) if rows else None


def _choice(result: Any) -> str | None:
    try:
        (label,) = result[0]["value"]["choices"]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return str(label)


def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
    # No power fails here; what is killed is the process, and what it wrote is in the kernel's hands.
    connection.execute("PRAGMA synchronous = OFF")


@pytest.mark.timeout(7200)
def test_whatever_happens_in_whatever_order_the_laws_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    write_config(
        template,
        "any sequence",
        "embedded",
        hidden=4,
        samples=2,
        epochs=1,
        batch=4,
        more=f"[budget]\nmax_labels = {MAX_LABELS}\n",
    )
    fill(template / "workbench.toml", FIRST_ROWS)
    monkeypatch.setattr(AnySequence, "template", template, raising=False)
    monkeypatch.setattr("workbench.steps.push.LOOK_AGAIN_SECONDS", (0.0, 0.0))
    machine: Any = AnySequence
    machine.TestCase.settings = SETTINGS
    machine.TestCase("runTest").runTest()
