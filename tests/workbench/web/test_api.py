"""The API keeps to its own description, whatever is sent, and tells what pages show."""

import os
from typing import Any

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from tests.workbench.web.sites import CLASSES, FILLED, MadeSite
from workbench.domain.roles import Role
from workbench.reports.panels.catalog import PANELS
from workbench.storage.store import open_store
from workbench.web.app import API, create_app
from workbench.web.desk import Desk
from workbench.web.security.secrets import digest
from workbench.web.site import Site

EXAMPLES = int(os.environ.get("API_EXAMPLES", "6"))
#: What is named in addresses: without it nearly everything would be missing.
KNOWN: dict[str, tuple[Any, ...]] = {
    "slug": ("empty", "one-round", "failed"),
    "panel": tuple(panel.name for panel in PANELS),
    "table": ("coverage", "batch", "nothing"),
    "number": (0, 1),
    "key": ("test-0000001", "item-0000100", "../../etc/passwd"),
    "at": ("2026-03-03", "2026-03-04T09:00:00+01:00"),
    "act": ("pull", "pause"),
}


@schemathesis.hook
def map_path_parameters(_context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Two of three times what is there."""
    return _known(parameters)


@schemathesis.hook
def map_query(_context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same for what stands behind the question mark."""
    return _known(query)


def _known(values: dict[str, Any] | None) -> dict[str, Any] | None:
    if not isinstance(values, dict):
        return values
    found = dict(values)
    for name, value in values.items():
        if name in KNOWN:
            place = sum(str(value).encode("utf-8", "surrogatepass"))
            if place % 3:
                found[name] = KNOWN[name][place % len(KNOWN[name])]
    return found


WANTED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    ignored_auth,
]
DESCRIBED = create_app(Desk(site=Site([]))).openapi()
OPERATIONS = [(path, method) for path, methods in DESCRIBED["paths"].items() for method in methods]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_is_answered_as_described(guarded_site: MadeSite, path: str, method: str) -> None:
    operation = schemathesis.openapi.from_asgi("/api/openapi.json", guarded_site.app)[path][method]
    headers = {"Authorization": f"Bearer {guarded_site.tokens[Role.ADMIN]}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize="API_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Case) -> None:
        case.call_and_validate(headers=headers, checks=WANTED)

    send()


def test_the_description_names_every_route_of_the_api(open_site: MadeSite) -> None:
    told = open_site.ask("/api/openapi.json").json()
    there = {route.path for router in API for route in router.routes if isinstance(route, APIRoute)}
    assert set(told["paths"]) == there
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            assert operation["security"], f"{method} {path}"
            assert operation.get("description"), f"{method} {path}"


def test_projects_rounds_and_items_are_told_as_they_are(open_site: MadeSite) -> None:
    base = f"/api/v1{open_site.filled}"
    project = open_site.ask(base).json()
    assert project["name"] == FILLED.name
    assert project["classes"] == list(CLASSES)
    assert project["open_round"] == FILLED.rounds
    rounds = open_site.ask(f"{base}/rounds").json()
    assert [found["number"] for found in rounds] == list(range(FILLED.rounds + 1))
    assert rounds[-1] == open_site.ask(f"{base}/rounds/{FILLED.rounds}").json()
    assert rounds[-1]["tasks"] == {"labeled": 15, "open": 15}
    picks = open_site.ask(f"{base}/rounds/2/picks?offset=10&limit=5").json()
    assert [pick["rank"] for pick in picks["picks"]] == [10, 11, 12, 13, 14]
    assert picks["total"] == FILLED.batch
    item = open_site.ask(f"{base}/item", params={"key": picks["picks"][0]["item"]}).json()
    assert item["picked"][0]["round"] == 2
    assert item["answers"]


def test_events_are_read_on_from_the_last_one(open_site: MadeSite) -> None:
    base = f"/api/v1{open_site.filled}/events"
    newest = open_site.ask(f"{base}?limit=3").json()["events"]
    assert [found["id"] for found in newest] == sorted(found["id"] for found in newest)
    after = open_site.ask(f"{base}?after={newest[0]['id']}").json()["events"]
    assert after == newest[1:]


@pytest.mark.parametrize("panel", [panel.name for panel in PANELS])
def test_a_panel_of_then_is_the_same_whenever_it_is_asked_for(open_site: MadeSite, panel: str) -> None:
    path = f"/api/v1{open_site.filled}/panels/{panel}?at=2026-03-06"
    first, second = open_site.ask(path), open_site.ask(path)
    assert first.status_code == 200
    assert first.content == second.content
    assert first.json()["at"].startswith("2026-03-06T23:59:59")


def test_a_token_opens_the_projects_of_its_own_database_alone(
    guarded_site: MadeSite, open_site: MadeSite
) -> None:

    configs = [site.folder / "workbench.toml" for site in (guarded_site, open_site)]
    both = Site(configs, opener=open_store)
    app = create_app(Desk(site=both))
    with both.stores()[0].begin() as tx:
        tx.tokens.create("one side", Role.ADMIN, digest("wb_one"))
    seen = MadeSite(
        folder=guarded_site.folder, store=both.stores()[0], app=app, slugs={}, tokens={Role.ADMIN: "wb_one"}
    )
    told = seen.as_role(Role.ADMIN, "/api/v1/projects").json()
    assert len(told) == 4
    every = {place.slug for place in both.places()}
    hidden = every - {project["slug"] for project in told}
    assert len(hidden) == 4
    for slug in hidden:
        assert seen.as_role(Role.ADMIN, f"/api/v1/projects/{slug}").status_code == 404
        assert seen.as_role(Role.ADMIN, f"/projects/{slug}").status_code == 404
