"""How long the HTML report of a project takes, how large it is, and whether its queries grow with the pool.

    python tests/benchmarks/big_project.py sqlite:////tmp/big.db
    python tests/benchmarks/report_speed.py sqlite:////tmp/big.db [--times 3] [--other URL]

The command is run as people run it, in a process of its own: *wall* and CPU seconds, the least of several,
with everything that it loads. Then each panel is read in this process. ``--other`` is a database of the same
rounds with a pool of another size (both made with ``big_project.py --rounds 15``, one of them with
``--pool 10000``): times of the queries are put in relation.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.domain.records import Project
from workbench.reports.panels.catalog import PANELS
from workbench.reports.reading import read_report
from workbench.storage.store import Store, open_store


def project_of(store: Store) -> Project:
    """The first project of a database."""
    with store.read() as tx:
        return tx.projects.all()[0]


def whole(database: str, project: Project, times: int) -> None:
    """Measure the command."""
    with tempfile.TemporaryDirectory() as folder:
        config, page = Path(folder) / "workbench.toml", Path(folder) / "report.html"
        config.write_text(
            f"[project]\nname = {json.dumps(project.name)}\ntask = {json.dumps(str(project.kind))}\n"
            f"classes = {json.dumps(list(project.classes))}\n[storage]\ndatabase = {json.dumps(database)}\n"
        )
        code = "from workbench.cli.main import main; main()"
        command = [sys.executable, "-c", code, "report", "--config", str(config), "--output", str(page)]
        walls, processors = [], []
        for _ in range(times):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            walls.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"report: {min(walls):.2f} s, CPU {min(processors):.2f} s, {page.stat().st_size / 1e6:.2f} MB")


def queries(store: Store, times: int) -> dict[str, float]:
    """Milliseconds that a database needs for the queries of each panel."""
    project, spent = project_of(store), [0.0]

    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def before(_c: object, _k: object, _s: str, _p: object, context: object, _m: bool) -> None:
        context.began = time.perf_counter()  # type: ignore[attr-defined]

    @sa.event.listens_for(store.engine, "after_cursor_execute")
    def after(_c: object, _k: object, _s: str, _p: object, context: object, _m: bool) -> None:
        spent[0] += time.perf_counter() - context.began  # type: ignore[attr-defined]

    found = {}
    for panel in PANELS:
        best, processor = float("inf"), float("inf")
        for _ in range(times):
            spent[0], began = 0.0, time.process_time()
            read_report(store, project, panels=[panel.name])
            best, processor = min(best, spent[0]), min(processor, time.process_time() - began)
        found[panel.name] = best * 1000
        print(
            f"{panel.name:15} queries {best * 1000:6.1f} ms, all CPU here {processor * 1000:6.1f} ms",
            flush=True,
        )
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--other", help="The same project with a pool of another size.")
    arguments = parser.parse_args()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    store = open_store(arguments.database)
    whole(arguments.database, project_of(store), arguments.times)
    here = queries(store, arguments.times)
    store.close()
    if arguments.other:
        print(f"-- {arguments.other}")
        there = queries(open_store(arguments.other), arguments.times)
        for name, milliseconds in here.items():
            print(f"{name:15} {milliseconds / there[name]:5.2f} times the other's")


if __name__ == "__main__":
    main()
