"""Several real processes and one round: one does the work, and whoever was only slow writes nothing."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import torch

from connectors.labelers.embedded import EmbeddedLabeler
from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.errors import RoundBusy, RoundProblem
from workbench.domain.rounds import RoundState
from workbench.learning.learner import Learner
from workbench.steps import choose
from workbench.steps.parts import Parts
from workbench.storage.shards import read_scores, scores_model, write_scores
from workbench.storage.tables import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def project(request: pytest.FixtureRequest, folder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "postgresql":
        monkeypatch.setenv("WORKBENCH_DATABASE_URL", request.getfixturevalue("postgresql_database"))
    # A child that is forked while other threads compute would wait for them forever.
    torch.set_num_threads(1)
    folder.ready()
    return folder


def start(act: Callable[[], str], note: Path) -> int:
    """Run in a process of its own, which writes down how it ended."""
    child = os.fork()
    if child == 0:
        try:
            said = act()
        except (RoundProblem, RuntimeError) as error:
            said = f"{type(error).__name__}: {error}"
        except BaseException:
            said = traceback.format_exc()
        note.write_text(said)
        os._exit(0)
    return child


def rows(parts: Parts) -> dict[str, list[Any]]:
    """The whole database."""
    with parts.store.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(table.c.id))]
            for table in metadata.sorted_tables
        }


def tasks_at_the_labeler(project: Any) -> list[tuple[str | None, str | None]]:
    with EmbeddedLabeler(project.path / "data" / "labeler.db") as labeler:
        return sorted((task.round_key, task.item_key) for task in labeler.changed_tasks("1", None))


def fight(project: Any, workers: int, act: Callable[[Parts], str]) -> list[str]:
    """Let many processes do the same at the same moment; how each of them ended."""
    gate = project.path / "gate"

    def work() -> str:
        with open_parts(project.path / "workbench.toml") as parts:
            while not gate.exists():
                time.sleep(0.002)
            return act(parts)

    notes = [project.path / f"worker-{number}" for number in range(workers)]
    children = [start(work, note) for note in notes]
    gate.touch()
    for child in children:
        os.waitpid(child, 0)
    gate.unlink()
    return [note.read_text() for note in notes]


@pytest.mark.parametrize("workers", [2, 10])
def test_of_many_workers_that_do_the_same_at_once_one_does_it(
    project: Any, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = project.path / "trained"
    fit = Learner.fit

    def noted(*args: Any, **kwargs: Any) -> Any:
        with trained.open("a") as file:
            file.write("x")
        return fit(*args, **kwargs)

    def tell(parts: Parts) -> str:
        told = loop.tell(parts)
        return "closed" if told.round is not None and told.round.state is RoundState.CLOSED else "nothing"

    monkeypatch.setattr(Learner, "fit", noted)
    asked = fight(project, workers, lambda parts: str(loop.ask(parts).state))
    assert asked.count("labeling") == 1, asked
    assert all(said == "labeling" or said.startswith("Round") for said in asked), asked
    there = tasks_at_the_labeler(project)
    assert len(there) == len(set(there)) == 6
    project.label_all()
    told = fight(project, workers, tell)
    assert told.count("closed") >= 1, told
    assert all(said in ("closed", "nothing") or said.startswith("Round") for said in told), told
    assert trained.read_text() == "x"
    with open_parts(project.path / "workbench.toml") as parts:
        found = rows(parts)
    assert len(found["round"]) == len(found["model_run"]) == len(found["budget_point"]) == 1
    assert (len(found["label"]), len(found["annotation"])) == (6, 6)


def stop_here(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Make the process stand still at a place, the first time it comes there."""
    owner, name = {
        "before its picks are written": (choose, "pick_batch"),
        "before it looks at the labeler": (EmbeddedLabeler, "find_tasks"),
        "before its model is written": (Learner, "save"),
    }[place]
    original = getattr(owner, name)
    stopped: list[None] = []

    def still(*args: Any, **kwargs: Any) -> Any:
        if not stopped:
            stopped.append(None)
            os.kill(os.getpid(), signal.SIGSTOP)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, still)


@pytest.mark.parametrize(
    "place",
    ["before its picks are written", "before it looks at the labeler", "before its model is written"],
)
def test_a_worker_that_stood_still_for_longer_than_its_lease_wakes_up_and_writes_nothing(
    project: Any, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = place == "before its model is written"
    config = project.path / "workbench.toml"
    if telling:
        with open_parts(config) as parts:
            loop.ask(parts)
        project.label_all()

    def slow() -> str:
        with pytest.MonkeyPatch.context() as patch, open_parts(config) as parts:
            stop_here(patch, place)
            mine = replace(parts, lease_seconds=1.0)
            return str(loop.tell(mine) if telling else loop.ask(mine))

    note = project.path / "slow"
    child = start(slow, note)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), note.read_text()
    with open_parts(config) as parts:
        while True:
            try:
                reached = loop.resume(parts)
                break
            except RoundBusy:
                time.sleep(0.1)
        assert reached.state is (RoundState.CLOSED if telling else RoundState.LABELING)
        before = rows(parts), sorted(path.name for path in project.path.rglob("*.safetensors"))
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)
        assert "RoundBusy" in note.read_text(), note.read_text()
        assert "taken over" in note.read_text()
        assert (rows(parts), sorted(path.name for path in project.path.rglob("*.safetensors"))) == before
    there = tasks_at_the_labeler(project)
    assert len(there) == len(set(there)) == 6


def test_scores_that_a_late_worker_puts_in_the_place_of_ours_are_not_chosen_from(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.ready()
    late: list[str] = []
    original = loop.STEPS[RoundState.SCORED]

    def overwritten(parts: Parts, held: Any) -> Any:
        with parts.store.begin() as tx:
            path = parts.scores_file(held, tx.pool.shards(parts.project.id)[0])
        if not late:
            late.append("once")
            scores = read_scores(path)
            write_scores(
                path, scores._replace(predicted_N=scores.predicted_N * 0), stamp="x", model="another"
            )
        else:
            late.append(str(scores_model(path)))
        return original(parts, held)

    with open_parts(folder.path / "workbench.toml") as parts:
        loop.ask(parts)
        folder.label_all()
        loop.tell(parts)
        monkeypatch.setitem(loop.STEPS, RoundState.SCORED, overwritten)
        assert loop.ask(parts).state is RoundState.LABELING
        with parts.store.read() as tx:
            runs = tx.results.runs(parts.project.id)
    assert late == ["once", runs[-1].sha256]
