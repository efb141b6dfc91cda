"""The main job, start to end, on real data: what ``workbench demo`` runs.

Everything lies in one directory. Whatever was done is read from the database there, so an interrupted
demonstration goes on where it stopped and ends with the same result.
"""

import json
import tomllib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from connectors.labelers.protocol import Annotator
from workbench import loop
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.config.load import parse_config
from workbench.domain.errors import DemoProblem
from workbench.domain.records import Project
from workbench.domain.rounds import Round, RoundState
from workbench.learning.methods import check_methods
from workbench.reports.bought import bought
from workbench.reports.faces.html import write_html
from workbench.reports.reading import read_report
from workbench.simulation.amendments import correct_one, take_one_back
from workbench.simulation.answers import Answers, answer_all
from workbench.simulation.digits import write_digits
from workbench.simulation.places import Place, embedded_place, label_studio_place
from workbench.simulation.shadow import Known, known_pool, record_ceiling, record_control
from workbench.steps.parts import Parts, Progress
from workbench.steps.push import open_project

TEST_SHARE = 0.2
MARKER = "demo.json"
#: From so many rounds on there is a curve that a ceiling says something about; it costs 5 s.
CURVE_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a demonstration is asked to do. Fixed once its directory is made."""

    labeler: str = "label-studio"
    posterior: str = "mc_dropout"
    function: str = "bald"
    selector: str = "power"
    rounds: int = 6
    batch: int = 20
    seed: int = 0

    @property
    def name(self) -> str:
        """A directory name of its own for every set of options."""
        parts = (self.labeler, self.posterior, self.function, self.selector)
        return "-".join([*parts, f"{self.rounds}x{self.batch}", f"seed{self.seed}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """How the demonstration speaks to whoever watches."""

    say: Callable[[str], None]
    picks: Callable[[Sequence[Any]], None]
    table: Callable[[Sequence[dict[str, Any]]], None]
    progress: Progress


def run_demo(directory: Path, options: DemoOptions, show: Show) -> dict[str, Any]:
    """Run, or go on with, a demonstration; gives the object that ``--json`` prints.

    Raises:
        DemoProblem: The directory holds something else, or Label Studio can not be started here.
        WorkbenchError: As the loop.
    """
    check_methods(parse_config(tomllib.loads(_configuration(options)), directory / "workbench.toml"))
    prepare(directory, options, show)
    config = directory / "workbench.toml"
    with ExitStack() as held:
        place = held.enter_context(_place(directory, options, show))
        parts = held.enter_context(open_parts(config, progress=show.progress, labeler=place.labeler))
        link = open_project(parts)
        known = known_pool(parts)
        answers = Answers(truths=known.truths, classes=parts.project.classes, seed=options.seed)
        while (number := _next_round(parts)) < options.rounds:
            _one_round(parts, place, answers, known, number, options, show)
        # A last look: what people changed after their round was closed must be in, and twice changes nothing.
        loop.tell(parts)
        record_control(parts, known, answers)
        if options.rounds >= CURVE_ROUNDS:
            record_ceiling(parts, known)
        return _result(directory, parts, link.url, parts.project)


def prepare(directory: Path, options: DemoOptions, show: Show) -> None:
    """Make the directory: configuration, pictures, database, pool. Doing it twice is harmless.

    Raises:
        DemoProblem: It holds something else, or a demonstration with other options.
    """
    _claim(directory, options)
    with show.progress("Writing the digits as pictures") as report:
        total = write_digits(directory / "pictures", report)
    config = directory / "workbench.toml"
    upgrade_database(config)
    with show.progress("Reading the pictures into the pool"):
        added = add_to_pool(config, directory / "pictures", label="folders", test_share=TEST_SHARE)
    if added.pool:
        show.say(f"{total} pictures: {added.pool} in the pool, {added.test} held out for testing.")


def _claim(directory: Path, options: DemoOptions) -> None:
    marker = directory / MARKER
    if marker.exists():
        found = json.loads(marker.read_text(encoding="utf-8"))
        if found != asdict(options):
            raise DemoProblem(
                f"{directory} holds a demonstration with other options ({_words(found)}). "
                "Name another one with --directory, or give the same options to go on with that one."
            )
    elif directory.exists() and any(directory.iterdir()):
        raise DemoProblem(
            f"{directory} is not empty and no demonstration. Name another one with --directory."
        )
    directory.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps(asdict(options)), encoding="utf-8")
    config = directory / "workbench.toml"
    if not config.exists():
        temporary = config.with_suffix(".tmp")
        temporary.write_text(_configuration(options), encoding="utf-8")
        temporary.replace(config)


def _words(options: dict[str, Any]) -> str:
    return ", ".join(f"--{name} {value}" for name, value in options.items())


def _configuration(options: DemoOptions) -> str:
    kind = "label-studio" if options.labeler == "label-studio" else "embedded"
    return f"""# Made by `workbench demo`; a real project's configuration is written by `workbench init`.

[project]
name = "digits demo"
task = "image-classification"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
seed = {options.seed}

[model]
encoder_options = {{ size = [8, 8], channels = 1 }}

[posterior]
name = {json.dumps(options.posterior)}

[acquisition]
function = {json.dumps(options.function)}
selector = {json.dumps(options.selector)}

[round]
batch_size = {options.batch}

[labeler]
kind = "{kind}"

[budget]
per_annotation = 0.02
per_hour = 18.0
currency = "USD"

[report]
target = 0.95
"""


def _place(directory: Path, options: DemoOptions, show: Show) -> Any:
    if options.labeler == "simulated":
        return embedded_place(directory / "data")
    return label_studio_place(directory, show.say)


def _next_round(parts: Parts) -> int:
    """The number of the first round that is not closed."""
    with parts.store.begin() as tx:
        rounds = tx.rounds.all(parts.project.id)
    return sum(current.state is RoundState.CLOSED for current in rounds)


def _one_round(
    parts: Parts,
    place: Place,
    answers: Answers,
    known: Known,
    number: int,
    options: DemoOptions,
    show: Show,
) -> None:
    current = _ask(parts)
    with parts.store.begin() as tx:
        picks = tx.tasks.selections(current.id)
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    assert link is not None
    if number == 0:
        show.picks(picks)
    if current.position is RoundState.LABELING:
        with show.progress(f"Round {number}: {len(place.people)} annotators label {len(picks)} items"):
            answer_all(place.people, link.external_id, answers)
        _amend(parts, place.people, answers, number, options.rounds)
    loop.tell(parts, close=True)
    record_control(parts, known, answers)
    show.table(_rounds(parts))


def _ask(parts: Parts) -> Round:
    with parts.store.begin() as tx:
        current = tx.rounds.unfinished(parts.project.id)
    return loop.resume(parts) if current else loop.ask(parts)


def _amend(parts: Parts, people: Sequence[Annotator], answers: Answers, number: int, rounds: int) -> None:
    """Half-way through somebody corrects an answer of the first round; in the end one is taken back."""
    if number == max(1, rounds // 2):
        correct_one(parts, people, answers, 0)
    if number == rounds - 1 and number > 0:
        take_one_back(parts, people, 0)


def _result(directory: Path, parts: Parts, url: str, project: Project) -> dict[str, Any]:
    record = directory / "report.html"
    write_html(record, read_report(parts.store, project))
    return {
        "rounds": _rounds(parts),
        "database": str((directory / "workbench.db").resolve()),
        "report": str(record.resolve()),
        "label_studio_url": url if parts.config.labeler.kind == "label-studio" else None,
    }


def _rounds(parts: Parts) -> list[dict[str, Any]]:
    with parts.store.begin() as tx:
        rows = bought(tx.facts(parts.project)).rows
        picked = {
            current.number: [pick.item_key for pick in tx.tasks.selections(current.id)]
            for current in tx.rounds.all(parts.project.id)
        }
    return [
        {
            "round": row.round,
            "labels": row.labels,
            "annotations": row.annotations,
            "seconds": round(row.seconds, 2),
            "cost": round(row.cost, 4),
            "accuracy": row.accuracy,
            "accuracy_low": row.accuracy_low,
            "accuracy_high": row.accuracy_high,
            "control_accuracy": row.control_accuracy,
            "picked": picked[row.round],
        }
        for row in rows
    ]
