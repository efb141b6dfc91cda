"""What is shipped: three packages and nothing else, and commands that answer at once."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_three_packages_with_migrations_and_types(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("acquisition", "connectors", "workbench", "migrations", "tests/house"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"acquisition", "connectors", "workbench"}
    for needed in (
        "workbench/migrations/env.py",
        "workbench/migrations/versions/0001_first_schema.py",
        "workbench/reports/faces/report.html",
        "workbench/config/template.toml",
        "acquisition/py.typed",
        "connectors/py.typed",
        "workbench/py.typed",
    ):
        assert needed in names
    missing = {
        f"{package}/{path.relative_to(ROOT / package).as_posix()}"
        for package in ("acquisition", "connectors", "workbench")
        for path in (ROOT / package).rglob("*.py")
    } - set(names)
    assert missing == set()


def _loaded(code: str, heavy: str) -> set[str]:
    """Which of these libraries are loaded when the code has run."""
    code = f"import sys; {code}; print('LOADED', *(set({heavy!r}.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, *found = done.stdout.splitlines()[-1].split()
    assert first == "LOADED"
    return set(found)


def test_help_imports_nothing_heavy() -> None:
    heavy = "torch numpy pandas sqlalchemy pydantic httpx label_studio_sdk matplotlib sklearn baal"
    assert _loaded("from workbench.cli.main import run; run(['--help'])", heavy) == set()


def test_what_draws_charts_loads_neither_a_database_nor_statistics() -> None:
    """Another process draws, and begins with loading this."""
    heavy = "torch pandas sqlalchemy scipy pydantic jinja2 typer"
    assert _loaded("import workbench.reports.faces.drawer", heavy) == set()


def test_reports_import_nothing_that_changes_databases_or_fits() -> None:
    """Each of these would add a tenth of a second or more to every report."""
    heavy = "torch pandas alembic scipy.optimize scipy.stats label_studio_sdk sklearn fastapi baal"
    code = "import workbench.cli.reading, workbench.reports.reading, workbench.reports.faces.html"
    assert _loaded(code, heavy) == set()


def test_a_library_that_is_loaded_is_noticed() -> None:
    assert _loaded("import workbench.reports.reading", "torch numpy scipy.optimize") == {"numpy"}
