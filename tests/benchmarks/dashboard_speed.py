"""How long the dashboard takes to answer: every page, fragment and endpoint of a large project.

    python tests/benchmarks/big_project.py sqlite:////tmp/big.db
    python tests/benchmarks/dashboard_speed.py sqlite:////tmp/big.db [--times 5] [--only live]

The application is asked in this process, so what is measured is the server's work and nothing else. *First*
is the first time that anybody asks: nothing is kept yet, though modules are loaded. *Changed* is after
something was written: readings that are kept do not hold any more. *Again* is when nothing has changed, the
least of several. Each is a wall time, and CPU time of the whole process, readings in the background included.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.reports.panels.catalog import PANELS
from workbench.storage.store import Store, open_store
from workbench.storage.tables import item
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.readings import warm_up
from workbench.web.site import Site

ASKED_BY_PAGES = {"HX-Request": "true"}


class Took(NamedTuple):
    """Milliseconds of one request."""

    wall: float
    cpu: float
    status: int
    size: int


def addresses(store: Store, slug: str) -> list[str]:
    """Everything that can be asked for."""
    base, api = f"/projects/{slug}", f"/api/v1/projects/{slug}"
    with store.read() as tx:
        project = tx.projects.all()[0]
        rounds = [found.number for found in tx.facts(project).rounds.all()]
    with store.engine.connect() as connection:
        key = connection.execute(sa.select(item.c.key).order_by(item.c.id.desc()).limit(1)).scalar_one()
    query = httpx.QueryParams(key=key)
    middle = rounds[len(rounds) // 2]
    pages = ["", "/live", "/rounds", f"/rounds/{rounds[-1]}", f"/rounds/{middle}", "/budget", "/log"]
    found = ["/", *(base + page for page in pages), f"{base}/rounds/{middle}/live", f"{base}/item?{query}"]
    for panel in PANELS:
        here = f"{base}/panels/{panel.name}"
        found += [here, f"{here}/body", f"{here}/lead", f"{here}/card"]
    found += [f"{base}/panels/batch/body?round={middle}", f"{base}/panels/forecast/body?labels=5000"]
    found += ["/api/v1/me", "/api/v1/projects", api]
    found += [api + page for page in ("/panels", "/rounds", f"/rounds/{middle}", f"/rounds/{middle}/picks")]
    found += [f"{api}/item?{query}", f"{api}/events", f"{api}/now", f"{api}/budget"]
    for panel in PANELS:
        found += [f"{api}/panels/{panel.name}", f"{api}/panels/{panel.name}/tables/{panel.name}.csv"]
    return found


async def ask(client: httpx.AsyncClient, address: str) -> Took:
    """One request."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = await client.get(address)
    return Took(
        (time.perf_counter() - wall) * 1000,
        (time.process_time() - cpu) * 1000,
        answer.status_code,
        len(answer.content),
    )


async def measure(folder: Path, store: Store, arguments: argparse.Namespace) -> None:
    """Ask for everything: first, after a change, again."""
    warm_up()
    with store.read() as tx:
        project = tx.projects.all()[0]
    (folder / "workbench.toml").write_text(
        f"[project]\nname = {json.dumps(project.name)}\ntask = {json.dumps(str(project.kind))}\n"
        f"classes = {json.dumps(list(project.classes))}\n"
        f"[storage]\ndatabase = {json.dumps(arguments.database)}\n"
    )
    slug = Site([folder / "workbench.toml"]).places()[0].slug
    worst: dict[str, tuple[float, str]] = {}
    print(f"{'first':>12} {'changed':>12} {'again':>12} {'bytes':>9}   wall/cpu ms")
    for address in [each for each in addresses(store, slug) if arguments.only in each]:
        # A desk for each: what another page has read is of no help.
        transport = httpx.ASGITransport(app=create_app(Desk(site=Site([folder / "workbench.toml"]))))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=ASKED_BY_PAGES
        ) as client:
            await client.get("/api/v1/me")
            found = {"first": await ask(client, address)}
            await settled(client, address)
            with store.begin() as tx:
                tx.results.note(project.id, "measured", "the dashboard's speed")
            found["changed"] = await ask(client, address)
            await settled(client, address)
            found["again"] = min([await ask(client, address) for _ in range(arguments.times)])
        for name, took in found.items():
            worst[name] = max(worst.get(name, (0.0, "")), (took.wall, address))
        columns = " ".join(f"{took.wall:5.0f}/{took.cpu:5.0f} " for took in found.values())
        wrong = "" if found["again"].status == 200 else f"  status {found['again'].status}"
        print(f"{columns} {found['again'].size:9} {address}{wrong}", flush=True)
    for name, (wall, address) in worst.items():
        print(f"slowest {name:8} {wall:6.0f} ms  {address}")


async def settled(client: httpx.AsyncClient, address: str) -> None:
    """Wait for what is read in the background."""
    for _ in range(3):
        await asyncio.sleep(0.7)
        await client.get(address)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", default="", help="Only addresses with this in them.")
    arguments = parser.parse_args()
    store = open_store(arguments.database)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), store, arguments))
    store.close()


if __name__ == "__main__":
    main()
