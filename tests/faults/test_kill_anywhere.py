"""Kill the process at any place, go on, and end with the same database and the same labeler.

``CHAOS_RUNS`` sets how many kills are tried; by default enough to touch every kind of place.
"""

import importlib
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from connectors.labelers.embedded import EmbeddedLabeler
from connectors.labelers.embedded_people import embedded_annotator
from connectors.labelers.label_studio import connect
from connectors.labelers.label_studio_people import invite_person
from tests.faults.comparing import ask_database
from tests.faults.killing import Places, Scene, sweep, work
from tests.faults.little_project import BUDGET, PEOPLE, prepare
from tests.faults.working import ROUNDS, everybody
from workbench.scheduler.diary import Diary
from workbench.scheduler.worker import Worker
from workbench.steps import control

pytestmark = pytest.mark.chaos

BY_ITSELF = f"{BUDGET}[schedule]\nafter_close = true\nmax_rounds = {ROUNDS}\n"


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import everything once, so that no child has to, and compute in one thread.

    A child that is forked while other threads compute would wait for them forever.
    """
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("warm") / "project"
    config = prepare(directory, "chaos warm", "embedded")
    with EmbeddedLabeler(directory / "labeler.db") as labeler:
        people = [embedded_annotator(labeler, name) for name in PEOPLE]
        work(config, labeler, people, Places(), 180.0)


@pytest.fixture(autouse=True)
def _all_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small rounds draw few items by chance: a model of those is trained all the same."""
    monkeypatch.setattr(control, "LEAST_LABELS", 2)


@pytest.fixture
def embedded(tmp_path: Path) -> Scene:
    prepare(tmp_path / "template", "chaos", "embedded")
    return Scene(
        "chaos",
        "embedded",
        lambda directory: EmbeddedLabeler(directory / "labeler.db"),
        lambda _directory, labeler: [embedded_annotator(labeler, name) for name in PEOPLE],
        template=tmp_path / "template",
    )


@pytest.fixture
def real(label_studio: Any) -> Scene:
    owner, url = label_studio.owner, label_studio.url
    with warnings.catch_warnings():
        # Once here, so that no child has to: it takes seconds.
        warnings.simplefilter("ignore")
        importlib.import_module("label_studio_sdk")
    return Scene(
        "chaos",
        "label-studio",
        lambda _directory: connect(url, owner.token),
        lambda _directory, _labeler: [
            invite_person(url, owner.token, name, "a long password") for name in PEOPLE
        ],
    )


@pytest.mark.timeout(7200)
def test_killed_anywhere_the_embedded_loop_ends_the_same(embedded: Scene, tmp_path: Path) -> None:
    sweep(embedded, tmp_path, int(os.environ.get("CHAOS_RUNS", "25")), at_least=150)


@pytest.mark.timeout(7200)
def test_killed_between_beats_of_the_lease_the_loop_ends_the_same(embedded: Scene, tmp_path: Path) -> None:
    busy = replace(embedded, lease_seconds=0.03)
    sweep(busy, tmp_path, int(os.environ.get("CHAOS_RUNS", "15")) // 3, at_least=150)


@pytest.mark.timeout(7200)
def test_killed_anywhere_a_worker_that_runs_rounds_by_itself_ends_the_same(
    embedded: Scene, tmp_path: Path
) -> None:
    prepare(tmp_path / "scheduled", "chaos", "embedded", more=BY_ITSELF)
    by_itself = replace(
        embedded,
        labeler=lambda directory: EmbeddedLabeler(directory / "data" / "labeler.db"),
        template=tmp_path / "scheduled",
        drive=look_after,
    )
    sweep(by_itself, tmp_path, int(os.environ.get("CHAOS_RUNS", "15")) // 3, at_least=150)


def look_after(config: Path, _labeler: Any, people: list[Any], _places: Places, _seconds: float) -> None:
    """Have one worker after another do what is to be done, and people answer what they are served."""
    for _ in range(10):
        Worker([config], Diary(lambda _line: None)).once()
        states = [state for (state,) in ask_database(config, "SELECT state FROM round")]
        if states == ["closed"] * ROUNDS:
            return
        if ask_database(config, "SELECT id FROM labeler_link"):
            everybody(people)("1")
    raise AssertionError(f"stuck: {states}")


@pytest.mark.external
@pytest.mark.timeout(7200)
def test_killed_anywhere_the_loop_on_a_real_label_studio_ends_the_same(real: Scene, tmp_path: Path) -> None:
    sweep(real, tmp_path, int(os.environ.get("CHAOS_RUNS", "10")), at_least=200)
