"""A dashboard over made-up projects, asked in the same process or through a real server."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from tests.fixtures.made_up import MadeUp
from workbench.domain.roles import Role
from workbench.storage.store import Store, open_store
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.readings import Readings
from workbench.web.security.limits import Limiter
from workbench.web.security.secrets import digest
from workbench.web.site import Site

#: Whatever may not come out of a page as anything but text.
HOSTILE = "<script>alert(1)</script>"
CLASSES = ("sport", "politics", "arts", HOSTILE, "=cmd|'/c calc'!A1", "javascript:alert(1)")
PEOPLE = {"ada": 0.03, "<img src=x onerror=alert(2)>": 0.05, "Cyril Sneer": 0.3}
FILLED = MadeUp(
    name=f"news {HOSTILE}",
    classes=CLASSES,
    people=PEOPLE,
    rare=("arts",),
    rounds=8,
    batch=30,
    test_items=400,
    pool=5000,
    open_round=True,
)
OTHERS = (
    MadeUp(name="empty", rounds=0, test_items=20, pool=100, seed=1),
    MadeUp(name="one-round", rounds=1, batch=20, test_items=100, pool=500, seed=2),
    MadeUp(name="failed", rounds=2, batch=20, test_items=100, pool=500, failed=True, seed=3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSite:
    """A folder with a database and a configuration, and the application that shows it."""

    folder: Path
    store: Store
    app: FastAPI
    slugs: dict[str, str]
    tokens: dict[Role, str] = field(default_factory=dict)

    @property
    def filled(self) -> str:
        """Where the pages of the filled project begin."""
        return f"/projects/{self.slugs[FILLED.name]}"

    def ask(
        self, path: str, method: str = "GET", *, base: str = "http://127.0.0.1", **more: Any
    ) -> httpx.Response:
        """One request, from nobody in particular."""
        return asyncio.run(self._ask(path, method, base, more))

    def as_role(self, role: Role, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        """One request of a program with a token of this role."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **more.pop("headers", {})}
        return self.ask(path, method, headers=headers, **more)

    def sign_in(self, role: Role) -> dict[str, str]:
        """The cookies of somebody who signed in."""
        answer = self.ask("/sign-in", "POST", data={"token": self.tokens[role]})
        assert answer.status_code == 303, answer.text
        return dict(answer.cookies)

    async def _ask(self, path: str, method: str, base: str, more: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        cookies = more.pop("cookies", None)
        async with httpx.AsyncClient(transport=transport, base_url=base, cookies=cookies) as client:
            return await client.request(method, path, **more)


def make_database(folder: Path, *projects: MadeUp) -> Store:
    """A database with these projects, and the configuration of the first one."""
    folder.mkdir(parents=True, exist_ok=True)
    store = open_store(f"sqlite:///{folder / 'workbench.db'}")
    store.upgrade()
    for project in projects:
        project.write(store)
    (folder / "workbench.toml").write_text(projects[0].configuration)
    return store


def show(
    folder: Path, *, tokens: bool = False, local_role: Role = Role.OPERATOR, patience: float = 30.0
) -> MadeSite:
    """An application for that folder; with a token for each role if wanted.

    Args:
        patience: Pages wait so long for what they show, however busy this machine is.
    """
    site = Site([folder / "workbench.toml"])
    store = site.stores()[0]
    secrets = {role: f"wb_{role}-{'x' * 30}" for role in Role} if tokens else {}
    with store.begin() as tx:
        for role, secret in secrets.items():
            tx.tokens.create(f"the {role}", role, digest(secret))
    slugs = {place.project.name: place.slug for place in site.places()}
    # Time stands still for whoever guesses.
    limiter = Limiter(ticking=lambda: 0.0)
    app = create_app(Desk(site=site, local_role=local_role, limiter=limiter, readings=Readings(patience)))
    return MadeSite(folder=folder, store=store, app=app, slugs=slugs, tokens=secrets)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """A real server for a while; gives its address."""
    where = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([where],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{where.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        where.close()
