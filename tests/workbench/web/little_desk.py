"""A dashboard over a little project, with keys for every role and work that is only noted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from workbench.config.load import load_settings
from workbench.domain.roles import Role
from workbench.storage.store import Store, open_store
from workbench.web.app import create_app
from workbench.web.desk import Desk
from workbench.web.errands import Errands
from workbench.web.security.secrets import digest
from workbench.web.site import Site

NAMES = {Role.VIEWER: "vera", Role.OPERATOR: "otto", Role.ADMIN: "ada"}


@dataclass
class LittleDesk:
    """The application, and what it would have had done."""

    config: Path
    wanted: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store: Store = open_store(load_settings(self.config).database_url)
        with self.store.begin() as tx:
            for role, name in NAMES.items():
                tx.tokens.create(name, role, digest(f"key of {name}"))
        self.site = Site([self.config])
        self.desk = Desk(site=self.site, errands=Errands(runner=self.run))
        self.app = create_app(self.desk)

    def run(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        self.wanted.append(wanted)
        return {"done": True, "words": "It was only noted."}

    def client(self, role: Role = Role.OPERATOR) -> TestClient:
        key = {"Authorization": f"Bearer key of {NAMES[role]}"}
        return TestClient(self.app, headers=key, follow_redirects=False)

    def trail(self) -> list[tuple[str, str, str | None]]:
        from workbench.storage.diary import Wanted

        with self.store.read() as tx:
            (project,) = tx.projects.all()
            return [(e.kind, e.message, e.actor) for e in tx.results.events(project.id, Wanted())]

    def close(self) -> None:
        self.site.close()
        self.store.close()
