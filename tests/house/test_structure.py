"""The house rules: arrows run one way, one door per outside library, one idea per file."""

import ast
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("acquisition", "connectors", "workbench")
#: Low to high. A module may import from its own floor and from lower ones.
FLOORS = (
    ("domain",),
    ("config", "storage", "learning"),
    ("steps", "reports"),
    ("bootstrap",),
    ("loop",),
    ("simulation", "notebook", "doctor", "web"),
    ("scheduler",),
    ("cli",),
)
#: Who may import the neighbours.
MAY_IMPORT = {
    "acquisition": {"learning", "steps", "bootstrap", "doctor", "cli"},
    "connectors": {"bootstrap", "steps", "simulation", "doctor", "cli", "web"},
}
DOORS = {
    "sqlalchemy": ("workbench/storage/", "migrations/"),
    "alembic": ("workbench/storage/", "migrations/"),
    "apscheduler": ("workbench/config/cron.py",),
    "cleanlab": ("workbench/learning/active_lab.py",),
    "baal": ("acquisition/dropout/patching.py",),
    "peft": ("acquisition/lora/layers.py",),
    "gpytorch": ("acquisition/gaussian/inducing_points.py",),
    "transformers": ("acquisition/lora/token_classifier.py", "workbench/learning/encoders/vision.py"),
    "sentence_transformers": ("workbench/learning/encoders/sentence.py",),
    "crowdkit": ("workbench/learning/crowd.py",),
    "label_studio_sdk": ("connectors/labelers/label_studio.py",),
    "typer": ("workbench/cli/",),
    "rich": ("workbench/cli/", "workbench/reports/faces/terminal.py"),
    "pandas": ("connectors/sources/", "workbench/reports/", "workbench/learning/crowd.py"),
    "starlette": ("workbench/web/",),
    "fastapi": ("workbench/web/",),
    "uvicorn": (
        "workbench/cli/serve.py",
        "workbench/scheduler/listening.py",
        "workbench/web/connections.py",
    ),
    "matplotlib": (
        "workbench/reports/faces/drawing.py",
        "workbench/reports/faces/marks.py",
        "workbench/reports/faces/svg.py",
    ),
    "jinja2": ("workbench/reports/faces/html.py", "workbench/web/"),
    "pydantic": ("workbench/config/", "workbench/web/"),
    "pydantic_settings": ("workbench/config/",),
}


def _files() -> Iterator[Path]:
    for package in (*PACKAGES, "migrations"):
        yield from sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _floor(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "workbench" or len(parts) == 1:
        return None
    return next((level for level, names in enumerate(FLOORS) if parts[1] in names), None)


def test_every_part_of_the_workbench_has_a_floor() -> None:
    named = {name for floor in FLOORS for name in floor}
    found = {
        p.stem for p in (ROOT / "workbench").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert found - {"__init__"} == named


def test_no_import_runs_upwards_or_between_the_neighbours() -> None:
    wrong = []
    for path in _files():
        module, floor = _module(path), _floor(_module(path))
        for imported in _imports(path):
            top = imported.split(".")[0]
            if module.startswith("workbench"):
                part = module.split(".")[1] if "." in module else ""
                allowed = MAY_IMPORT.get(top)
                if allowed is not None and part not in allowed:
                    wrong.append(f"{module} imports {imported}")
                other = _floor(imported)
                if floor is not None and other is not None and other > floor:
                    wrong.append(f"{module} imports {imported}, which is above it")
            elif top in PACKAGES and top != module.split(".")[0] and not module.startswith("migrations"):
                wrong.append(f"{module} imports {imported}")
    assert wrong == []


def test_no_import_runs_in_a_circle() -> None:
    modules = {_module(path) for path in _files()}
    arrows = defaultdict(set)
    for path in _files():
        for imported in _imports(path):
            target = imported if imported in modules else imported.rpartition(".")[0]
            if target in modules and target != _module(path):
                arrows[_module(path)].add(target)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail[trail.index(module) :], module])
        if module in done:
            return
        for target in arrows[module]:
            visit(target, (*trail, module))
        done.add(module)

    # A package's own __init__ that re-exports its modules is a door, not a knot.
    for package in PACKAGES:
        arrows[package] = set()
    for module in sorted(modules):
        visit(module, ())


@pytest.mark.parametrize("library", sorted(DOORS))
def test_an_outside_library_has_one_door(library: str) -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for path in _files()
        if any(name.split(".")[0] == library for name in _imports(path))
    }
    assert {user for user in users if not user.startswith(DOORS[library])} == set()


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {p.name: n for p in _files() if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}


def test_functions_are_short() -> None:
    lengths = []
    for path in _files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                lengths.append((body[-1].end_lineno or 0) - body[0].lineno + 1)
    assert statistics.median(lengths) < 10
    assert statistics.quantiles(lengths, n=10)[-1] <= 25
