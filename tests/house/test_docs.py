"""The docs say everything that there is, nothing that is not, and no link of theirs is dead."""

import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import BaseModel

import acquisition.errors
import connectors.errors
import workbench.domain.errors
from tests.fixtures.made_up import MadeUp
from workbench.config.load import Environment
from workbench.config.model import Config
from workbench.domain.reconcile import MEANING, Kind
from workbench.reports.panels.catalog import PANELS
from workbench.reports.reading import read_report
from workbench.storage.store import open_store

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
ERRORS = (acquisition.errors, connectors.errors, workbench.domain.errors)


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text()


def _section(page: str, heading: str) -> str:
    """The text below a heading, up to the next heading of its level."""
    level = heading.split(" ")[0]
    parts = re.split(rf"^{level} ", page, flags=re.MULTILINE)
    title = heading.removeprefix(level).strip()
    found = [part for part in parts if part.split("\n", 1)[0].strip() == title]
    assert len(found) == 1, f"expected one heading '{heading}', found {len(found)}"
    return found[0]


def _rows(text: str) -> dict[str, list[str]]:
    """The tables of a text: every name in code of a first cell, with the cells of its row."""
    rows = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("| \n").split(" | ")]
            rows.update(dict.fromkeys(re.findall(r"`([^`]+)`", cells[0]), cells))
    return rows


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        yield name, field.annotation


@pytest.mark.parametrize("name", ["commands.md", "methods.md"])
def test_a_generated_page_is_what_the_code_says_now(name: str) -> None:
    generated = {path.name: text for path, text in _generator().pages().items()}
    assert _reference(name) == generated[name], "run python docs/generate.py"


@pytest.mark.parametrize(("section", "model"), list(_sections()))
def test_every_configuration_key_is_documented_with_its_default(section: str, model: type[BaseModel]) -> None:
    rows = _rows(_section(_reference("configuration.md"), f"## [{section}]"))
    assert set(rows) == set(model.model_fields)
    for key, field in model.model_fields.items():
        assert _value(rows[key][2]) == _plain(field), f"[{section}] {key}: {rows[key][2]}"


def _plain(field: Any) -> object:
    default = field.get_default(call_default_factory=True)
    return "required" if field.is_required() else list(default) if isinstance(default, tuple) else default


def _value(cell: str) -> object:
    if cell in ("required", "none"):
        return None if cell == "none" else cell
    return json.loads(re.sub(r"(?<=\d)_(?=\d)", "", cell.strip("`")))


def test_every_secret_of_the_environment_is_documented() -> None:
    rows = _rows(_section(_reference("configuration.md"), "## Secrets and addresses"))
    assert set(rows) == {name.upper() for name in Environment.model_fields}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Every table of every panel with its columns: known also where there is nothing in them."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('docs') / 'workbench.db'}")
    store.upgrade()
    MadeUp(rounds=0, test_items=5).write(store)
    with store.read() as tx:
        project = tx.projects.get(MadeUp().name)
    assert project is not None
    report = read_report(store, project)
    store.close()
    found = [table for panel in report.panels for table in panel.reading.tables]
    assert len({table.name for table in found}) == len(found), "two tables have one name"
    return {table.name: {column.name for column in table.columns} for table in found}


def test_every_table_of_the_report_is_documented_with_its_columns(tables: dict[str, set[str]]) -> None:
    page = _reference("report.md")
    documented = set(re.findall(r"^## `([a-z_]+)`$", page, flags=re.MULTILINE))
    assert documented == set(tables)
    wrong = {name: columns ^ set(_rows(_section(page, f"## `{name}`"))) for name, columns in tables.items()}
    assert {name: columns for name, columns in wrong.items() if columns} == {}


def test_every_panel_is_in_the_list_of_panels_with_its_sentence() -> None:
    rows = _rows(_section(_reference("report.md"), "## Panels"))
    assert {name: cells[1] for name, cells in rows.items()} == {p.name: p.sentence for p in PANELS}


@pytest.mark.parametrize("module", ERRORS, ids=lambda module: module.__name__)
def test_every_error_class_is_documented(module: ModuleType) -> None:
    rows = _rows(_section(_reference("errors.md"), f"## `{module.__name__}`"))
    own = [
        name
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module.__name__
    ]
    assert set(rows) == set(own)


def test_every_kind_of_finding_is_documented_with_its_sentence() -> None:
    rows = _rows(_section((DOCS / "how-to" / "on-call.md").read_text(), "## Every kind of finding"))
    assert {name: cells[1] for name, cells in rows.items() if "--" not in name} == {
        kind.value: sentence for kind, sentence in MEANING.items()
    }
    assert set(MEANING) == set(Kind)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_inside_the_docs_is_dead(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", _without_code(page.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", _without_code(found.read_text()), flags=re.MULTILINE)
            assert anchor in map(_anchor, titles), f"{page.name} links to {target}: no such heading"


#: `workbench round ask --batch 6`, in a line of its own or between backticks.
TYPED = re.compile(r"(?:^\$? ?|`|&& )workbench((?: [a-z]+)*)((?: [^`\n#&]*)?)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_in_the_docs_exists_with_its_options(page: Path) -> None:
    known = {name: {o for p in command.params for o in p.opts} for name, command in _generator().commands()}
    for words, rest in TYPED.findall(page.read_text()):
        parts = words.split()
        if not parts:
            continue  # `workbench …`, or only an option such as --version
        name = next((n for n in (" ".join(parts[:2]), parts[0]) if n in known), None)
        group = any(command.startswith(f"{parts[0]} ") for command in known) and len(parts) == 1
        assert name or group, f"{page.name}: there is no command 'workbench{words}'"
        for option in re.findall(r"(?<=\s)--[a-z-]+", f" {rest}"):
            assert option in known.get(name or "", set()) | {"--debug", "--help"}, (
                f"{page.name}: 'workbench {name}' has no option {option}"
            )


def test_every_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        typed = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), flags=re.MULTILINE))
        assert typed <= targets, f"{page.name}: {typed - targets}"


def test_every_decision_has_its_four_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04d}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        for part in ("**Context.**", "**Choice.**", "**Consequence.**"):
            assert part in text, f"{path.name}: {part}"
