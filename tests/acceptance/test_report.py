"""`workbench report` as people type it: every face, old reports, clear refusals."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.acceptance.conftest import Folder
from workbench import open_project
from workbench.reports.panels.catalog import PANELS


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one closed round, made once."""
    path = tmp_path_factory.mktemp("template")
    folder = Folder(path, SimpleNamespace(readouterr=lambda: ("", "")))  # type: ignore[arg-type]
    folder.ready(more="[budget]\nper_annotation = 0.5\n[report]\ntarget = 0.9")
    folder.type("round", "ask")
    folder.label_all()
    assert folder.type("round", "tell").code == 0
    return path


@pytest.fixture
def told(folder: Any, template: Path) -> Any:
    """A copy of it."""
    shutil.copytree(template, folder.path, dirs_exist_ok=True)
    return folder


def test_without_options_it_writes_the_file_and_says_the_headline(told: Any) -> None:
    typed = told.type("report")
    assert typed.code == 0
    assert "The report is at" in typed.err
    assert "Headline" in typed.out
    assert "Savings" in typed.out
    assert "Calibration" not in typed.out
    assert max(map(len, typed.out.splitlines())) <= 80
    assert (told.path / "data" / "report.html").read_text().startswith("<!doctype html>")


def test_json_has_every_table_by_name_and_every_panel(told: Any) -> None:
    found = told.type("report", "--json").json
    assert [panel["name"] for panel in found["panels"]] == [panel.name for panel in PANELS]
    assert found["project"] == "a project"
    assert found["terms"]["target"] == 0.9
    for panel in found["panels"]:
        assert panel["tables"][0] == panel["name"]
        assert all(isinstance(found[name], list) for name in panel["tables"])
        assert panel["findings"], panel["name"]


def test_an_old_report_is_the_same_to_the_byte(told: Any) -> None:
    before = told.type("report", "--json").out
    moment = json.loads(before)["at"]
    told.type("round", "ask")
    told.label_all()
    told.type("round", "tell")
    now = told.type("report", "--json").json
    assert len(now["budget_curve"]) == 2
    assert told.type("report", "--json", "--as-of", moment).out == before


def test_the_file_says_how_it_is_made_again(told: Any) -> None:
    first_file, again_file = told.path / "first.html", told.path / "again.html"
    told.type("report", "-o", str(first_file))
    first = first_file.read_text()
    again = re.search(r"<code>workbench (report --as-of [^<]+)</code>", first)
    assert again is not None
    told.type("round", "ask")
    told.label_all()
    told.type("round", "tell")
    assert told.type(*again[1].split(), "-o", str(again_file)).code == 0
    assert again_file.read_text() == first


def test_a_changed_target_counts_at_once_and_an_old_report_keeps_its_own(told: Any) -> None:
    before = told.type("report", "--json").json
    config = told.path / "workbench.toml"
    config.write_text(config.read_text().replace("target = 0.9", "target = 0.5"))
    assert told.type("report", "--json").json["terms"]["target"] == 0.5
    assert told.type("report", "--json", "--as-of", before["at"]).json["terms"]["target"] == 0.9


def test_a_day_means_its_end_and_a_time_without_a_zone_is_in_utc(told: Any) -> None:
    now = datetime.now(UTC)
    for text in (f"{now:%Y-%m-%dT%H:%M:%S.%f}", f"{now.isoformat()}"):
        assert told.type("report", "--json", "--as-of", text).json["at"] == now.isoformat()
    today = told.type("report", "--as-of", f"{now:%Y-%m-%d}")
    assert today.code == 2
    assert "not over yet" in _unboxed(today.err)


def _unboxed(text: str) -> str:
    """What typer says, without its frame."""
    return re.sub(r"[\s│]+", " ", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as-of", "yesterday"), "'yesterday' is no date and no time"),
        (("--as-of", "2026-13-01"), "is no date and no time"),
        (("--as-of", "2026-W01"), "is no date and no time"),
        (("--as-of", "2999-01-01"), "lies in the future"),
        (("--as-of", "2999-01-01"), "Leave --as-of out for a report of now"),
        (("--as-of", "2001-01-01"), "lies before the project began"),
        (("--as-of", "2001-01-01"), "Name a later moment"),
        (("--as-of", "9999-12-31T23:59:59-14:00"), "is no date and no time"),
        (("--panel", "headlines"), "There is no panel 'headlines'. There are: headline, budget_curve"),
        (("--round", "7"), "There is no round 7: the rounds are 0 to 0"),
        (("--compare", "nobody"), "has no project 'nobody'. It has: a project"),
        (("--csv", "-"), "name its panel with --panel"),
        (("--json", "--output", "r.html"), "Choose one of --output and --json"),
        (("--output", "-"), "The HTML goes to a file: name one"),
    ],
)
def test_a_wrong_wish_is_refused_with_what_is_right(told: Any, words: tuple[str, ...], said: str) -> None:
    typed = told.type("report", *words)
    assert (typed.code, typed.out) == (2, "")
    assert said in _unboxed(typed.err)


def test_before_the_first_round_every_face_says_what_to_type(folder: Any) -> None:
    folder.ready()
    assert folder.type("report").code == 0
    shown = folder.type("report", "--panel", "all")
    assert shown.code == 0
    assert "workbench round ask" in re.sub(r"\s+", " ", shown.out)
    found = folder.type("report", "--json").json
    assert found["budget_curve"] == []
    assert all(panel["findings"] for panel in found["panels"])


def test_without_a_project_it_says_how_to_begin(folder: Any) -> None:
    folder.configure()
    folder.type("db", "upgrade")
    typed = folder.type("report")
    assert typed.code == 1
    assert "workbench pool add" in typed.err


def test_one_panel_is_shown_in_the_terminal_and_no_file_is_written(told: Any) -> None:
    typed = told.type("report", "--panel", "comparison", "--panel", "headline")
    assert typed.out.index("Headline") < typed.out.index("Comparison")
    assert not (told.path / "data" / "report.html").exists()


def test_csv_is_a_file_a_table_and_agrees_with_json(told: Any) -> None:
    assert told.type("report", "--csv", "tables").code == 0
    found = told.type("report", "--json").json
    names = {name for panel in found["panels"] for name in panel["tables"]}
    assert {path.stem for path in (told.path / "tables").iterdir()} == names
    text = (told.path / "tables" / "budget_curve.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [int(row["labels"]) for row in rows] == [row["labels"] for row in found["budget_curve"]]


def test_one_table_goes_to_stdout(told: Any) -> None:
    typed = told.type("report", "--panel", "budget_curve", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(typed.out, newline="")))
    assert rows[0]["labels"] == "6"
    assert typed.err == ""


def test_hidden_names_are_nowhere_and_always_the_same(told: Any) -> None:
    first = told.type("report", "--json", "--hide-names")
    assert '"ada"' not in first.out
    assert told.type("report", "--json").json["annotators"][0]["annotator"] == "ada"
    again = told.type("report", "--json", "--hide-names").json
    assert [row["annotator"] for row in again["annotators"]] == [
        row["annotator"] for row in first.json["annotators"]
    ]
    told.type("report", "--hide-names", "--output", "r.html")
    assert "ada" not in (told.path / "r.html").read_text().replace("Canada", "")


def test_a_file_can_not_be_written_where_a_file_is_a_folder(told: Any) -> None:
    (told.path / "file").write_text("")
    typed = told.type("report", "--output", "file/r.html")
    assert typed.code == 1
    assert "--output" in typed.err
    assert list(Path(told.path / "file").parent.glob(".*.tmp")) == []


@pytest.mark.parametrize("place", ["/", "", "data"])
def test_a_folder_is_no_file(told: Any, place: str) -> None:
    typed = told.type("report", "--output", place)
    assert typed.code == 1
    assert "is a folder" in typed.err
    assert "--output" in typed.err


def test_a_project_of_another_name_is_told_the_names_that_there_are(told: Any) -> None:
    config = told.path / "workbench.toml"
    config.write_text(config.read_text().replace('"a project"', '"another"'))
    typed = told.type("report")
    assert typed.code == 1
    assert "no project 'another'. It holds: a project." in typed.err


def _in_a_shell(told: Any, line: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    program = f"{sys.executable} -c 'from workbench.cli.main import main; main()'"
    shell = ["sh", "-c", line.replace("workbench", program)]
    return subprocess.run(
        shell, cwd=told.path, capture_output=True, check=False, env={**os.environ, **environment}
    )


def test_files_and_pipes_get_utf_8_in_any_locale(told: Any) -> None:
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = _in_a_shell(told, "workbench report --panel headline", **poor)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert "90.0 %" in shown.stdout.decode("utf-8").replace("\xa0", " ")


def test_a_closed_output_ends_no_command(told: Any) -> None:
    typed = _in_a_shell(told, "workbench report --panel headline >&-")
    assert (typed.returncode, typed.stderr) == (0, b"")


def test_a_notebook_writes_the_same_file(told: Any) -> None:
    with open_project(told.path / "workbench.toml") as project:
        written = project.report(told.path / "r.html")
    assert written == told.path / "r.html"
    assert "a project" in written.read_text()
