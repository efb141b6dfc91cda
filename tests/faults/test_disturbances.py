"""Each of these disturbances is real, and after each what is left is what an undisturbed run leaves.

The long forms: ``FAULT_LOCK_SECONDS=10``, ``FAULT_WORKERS=10``, ``FAULT_ANNOTATIONS=50000``.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from connectors.errors import ConnectorError
from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from tests.conftest import RealPostgreSQL
from tests.faults.comparing import ask_database, check_same, what_is_left
from tests.faults.killing import Places, in_child
from tests.faults.little_project import PEOPLE, prepare, write_config
from tests.faults.working import ROUNDS, everybody, finish, finish_stubbornly
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.domain.errors import ArtifactProblem, WorkbenchError
from workbench.domain.rounds import RoundState
from workbench.storage.store import utc_now

pytestmark = pytest.mark.chaos

LOCK_SECONDS = float(os.environ.get("FAULT_LOCK_SECONDS", "1.5"))
WORKERS = int(os.environ.get("FAULT_WORKERS", "3"))
ANNOTATIONS = int(os.environ.get("FAULT_ANNOTATIONS", "1000"))
#: Holds the only lock that a writer needs, for a while.
HOLD = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
database.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is ready for its first round."""
    return prepare(tmp_path_factory.mktemp("template") / "project", "disturbed", "embedded").parent


@pytest.fixture(scope="module")
def undisturbed(template: Path) -> dict[str, list[Any]]:
    """What a run leaves when nothing disturbs it."""
    return run(copy(template, template.parent / "undisturbed"))


def copy(template: Path, directory: Path) -> Path:
    shutil.copytree(template, directory)
    return directory / "workbench.toml"


def run(config: Path, clock: Callable[[], datetime] = utc_now) -> dict[str, list[Any]]:
    """Work two rounds through with people who answer everything."""
    with EmbeddedLabeler(config.parent / "labeler.db", clock=clock) as labeler:
        people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
        with open_parts(config, labeler=labeler, clock=clock) as parts:
            finish(parts, people)
    return what_is_left(config)


@contextmanager
def locked(database: Path, seconds: float) -> Iterator[None]:
    """Another process holds the database, and lets go of it by itself."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate()


def test_a_database_that_another_process_holds_for_long_is_waited_for(
    template: Path, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    config = copy(template, tmp_path / "project")
    with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
        people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
        with open_parts(config, labeler=labeler) as parts:
            for _ in range(ROUNDS):
                with locked(config.parent / "workbench.db", LOCK_SECONDS):
                    loop.ask(parts)
                people("1")
                with locked(config.parent / "workbench.db", LOCK_SECONDS):
                    loop.tell(parts, close=True)
    check_same(what_is_left(config), undisturbed, "held by another process")


@pytest.mark.parametrize("folder", ["models", "scores"])
def test_a_full_disk_stops_the_round_in_words_and_nothing_is_lost(
    template: Path, undisturbed: dict[str, list[Any]], tmp_path: Path, folder: str
) -> None:
    config = copy(template, tmp_path / "project")
    full = config.parent / "data" / folder
    full.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may make a small disk")
    try:
        with suppress(OSError):
            (full / "filler").write_bytes(b"x" * 100_000)
        with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
            people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
            with (
                open_parts(config, labeler=labeler) as parts,
                pytest.raises(ArtifactProblem, match=r"disk|space"),
            ):
                finish(parts, people)
            assert ask_database(config, "SELECT state FROM round ORDER BY number DESC")[0] == ("failed",)
            subprocess.run(["mount", "-o", "remount,size=10m", full], check=True)
            (full / "filler").unlink()
            assert not [path for path in full.rglob("*") if path.is_file() and path.suffix == ".tmp"]
            with open_parts(config, labeler=labeler) as parts:
                finish(parts, people)
        check_same(what_is_left(config), undisturbed, f"the disk of {folder} was full")
    finally:
        subprocess.run(["umount", full], check=True)


@pytest.mark.parametrize(
    "jumps",
    [
        pytest.param([-3600.0], id="an hour back"),
        pytest.param([-60.0, 7200.0, -86400.0, 90000.0], id="to and fro"),
        pytest.param([40 * 86400.0], id="a month forward"),
    ],
)
def test_clocks_that_jump_change_nothing(
    template: Path, undisturbed: dict[str, list[Any]], tmp_path: Path, jumps: list[float]
) -> None:
    # Begins an hour before summer time ends in Europe; nothing of ours may go by a local clock.
    start, reads = datetime(2026, 10, 24, 23, 0, tzinfo=UTC), 0

    def clock() -> datetime:
        nonlocal reads
        reads += 1
        jumped = sum(jumps[place % len(jumps)] for place in range(reads // 40))
        return start + timedelta(seconds=jumped, milliseconds=reads)

    found = run(copy(template, tmp_path / "project"), clock)
    check_same(found, undisturbed, f"clocks jumped by {jumps}")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_a_time_zone_that_changes_to_winter_time_changes_nothing(
    template: Path,
    undisturbed: dict[str, list[Any]],
    tmp_path: Path,
    zone: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        moment = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        ticks = iter(range(10**6))
        found = run(copy(template, tmp_path / "project"), lambda: moment + timedelta(minutes=next(ticks)))
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    check_same(found, undisturbed, f"winter time in {zone}")


def test_workers_that_all_do_the_same_at_once_do_it_once(
    template: Path, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    config = copy(template, tmp_path / "project")
    EmbeddedLabeler(config.parent / "labeler.db").close()
    children = [
        fork(partial(work, config, answering=number == 0), tmp_path / str(number))
        for number in range(WORKERS)
    ]
    assert [wait(child) for child in children] == [0] * WORKERS, errors(tmp_path)
    found = what_is_left(config)
    check_same(found, undisturbed, f"{WORKERS} at once")
    for table in ("event", "selection", "task", "metric"):
        rows = ask_database(config, f"SELECT * FROM {table}")
        assert len(rows) == len(set(rows)), f"{table} doubled"


def work(config: Path, *, answering: bool) -> None:
    """Ask and tell until both rounds are closed; people answer where one of the workers is looking."""
    with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
        people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            with suppress(WorkbenchError, ConnectorError), open_parts(config, labeler=labeler) as parts:
                with parts.store.read() as tx:
                    rounds = tx.rounds.all(parts.project.id)
                closed = sum(found.state is RoundState.CLOSED for found in rounds)
                if closed == ROUNDS:
                    return
                if closed == len(rounds):
                    loop.ask(parts)
                elif rounds[-1].position is not RoundState.LABELING:
                    loop.resume(parts)
                else:
                    if answering:
                        people("1")
                    loop.tell(parts)
            time.sleep(0.02)
        raise AssertionError("stuck")


def fork(act: Callable[[], None], note: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        act()
        code = 0
    except BaseException as error:
        note.with_suffix(".error").write_text(repr(error))
    finally:
        os._exit(code)


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def errors(directory: Path) -> list[str]:
    return [path.read_text() for path in directory.glob("*.error")]


def test_an_answer_that_is_changed_after_its_round_was_closed_enters_the_next_data_set(
    template: Path, tmp_path: Path
) -> None:
    config = copy(template, tmp_path / "project")
    with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
        ada, ben = (embedded_annotator(labeler, name) for name in PEOPLE)
        people = everybody([ada, ben])
        with open_parts(config, labeler=labeler) as parts:
            finish(parts, people, rounds=1)
            before = what_is_left(config)
            ((key, annotation, label),) = ask_database(
                config,
                "SELECT key, a.external_id, a.label FROM annotation a JOIN item i ON i.id = a.item_id "
                "WHERE a.label IS NOT NULL ORDER BY key LIMIT 1",
            )
            other = next(name for name in parts.project.classes if name != label)
            ada.edit(annotation, other)
            loop.ask(parts)
            after = what_is_left(config)
            with parts.store.read() as tx:
                learnt = {found.key: found.label for found in tx.annotations.training_set(parts.project.id)}
    assert learnt[key] == other
    ours = [row for row in after["labels"] if row[0] == key]
    assert [(row[1], row[2], bool(row[6])) for row in ours] == [(1, label, False), (2, other, True)]
    for table in ("models", "metrics", "budget", "selections", "rounds"):
        kept = [row for row in before[table] if row in after[table]]
        assert kept == before[table], f"{table} of the closed round changed"


def test_many_answers_at_once_come_in_once_each_though_the_first_reader_is_killed(tmp_path: Path) -> None:
    config = write_config(tmp_path / "project", "many", "embedded", batch=ANNOTATIONS, more="")
    upgrade_database(config)
    numbers = np.random.default_rng(0).normal(size=(ANNOTATIONS, 2))
    frame = pd.DataFrame(numbers, columns=["x", "y"]).assign(key=[f"i{n:06d}" for n in range(ANNOTATIONS)])
    frame.to_csv(config.parent / "items.csv", index=False)
    add_to_pool(config, config.parent / "items.csv", features=("x", "y"), key="key")
    text = config.read_text()
    config.write_text(text.replace("control_share = 0.25", "control_share = 1.0"))
    with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
        with open_parts(config, labeler=labeler) as parts:
            loop.ask(parts)
        everybody_answers(labeler)

    def tell(places: Places) -> None:
        with (
            EmbeddedLabeler(config.parent / "labeler.db") as labeler,
            open_parts(config, labeler=labeler) as parts,
        ):
            loop.tell(parts)

    assert not in_child(tell, 5, tmp_path / "note")
    assert in_child(tell, None, tmp_path / "note")
    ((versions, distinct),) = ask_database(
        config, "SELECT count(*), count(DISTINCT external_id) FROM annotation"
    )
    assert (versions, distinct) == (ANNOTATIONS, ANNOTATIONS)
    assert ask_database(config, "SELECT count(*) FROM label WHERE current") == [(ANNOTATIONS,)]
    assert ask_database(config, "SELECT DISTINCT state FROM task") == [("labeled",)]


def everybody_answers(labeler: EmbeddedLabeler) -> None:
    """All tasks in one go, as a whole company of annotators would."""
    result = '[{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["%s"]}}]'
    with labeler.store.write() as database:
        tasks = [row["id"] for row in database.execute("SELECT id FROM tasks ORDER BY id")]
        moments = labeler.store.moments(database, len(tasks))
        database.executemany(
            "INSERT INTO annotations (task, annotator, result, skipped, seconds, created_at, updated_at) "
            "VALUES (?, 'ada', ?, 0, 1.0, ?, ?)",
            [
                (task, result % ("low", "middle", "high")[task % 3], at, at)
                for task, at in zip(tasks, moments, strict=True)
            ],
        )
        database.executemany(
            "UPDATE tasks SET answered_by = 1, updated_at = ? WHERE id = ?", zip(moments, tasks, strict=True)
        )


@pytest.mark.postgresql
def test_postgresql_that_is_restarted_six_times_changes_nothing(
    undisturbed: dict[str, list[Any]], own_postgresql: RealPostgreSQL, tmp_path: Path
) -> None:
    with own_postgresql.database() as url:
        storage = f'[storage]\ndatabase = "{url}"\n'
        config = prepare(
            tmp_path / "project", "disturbed", "embedded", more=storage + "[budget]\nper_annotation = 0.1\n"
        )
        done = threading.Event()

        def restart() -> None:
            for _ in range(6):
                if done.wait(0.5):
                    return
                own_postgresql.control("-m", "fast", "restart")

        meddler = threading.Thread(target=restart)
        with EmbeddedLabeler(config.parent / "labeler.db") as labeler:
            people = everybody([embedded_annotator(labeler, name) for name in PEOPLE])
            meddler.start()
            try:
                finish_stubbornly(config, labeler, people)
            finally:
                done.set()
                meddler.join()
        check_same(what_is_left(config), undisturbed, "PostgreSQL was restarted")
