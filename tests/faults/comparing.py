"""What is left of a run, without what differs in any two runs: the law is that a fault changes none of it."""

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from workbench.config.load import load_settings
from workbench.storage.engine import make_engine

#: Left out are clocks, ids of the labeler, who was served what, and how often something was tried.
FACTS = {
    "rounds": "SELECT number, state, failed_from, batch_size, seed, strategy, error, lease_owner, pool_size "
    "FROM round",
    "items": 'SELECT key, split, "row", payload, sha256 FROM item',
    "selections": "SELECT number, rank, key, reason, score, mutual_information, predicted, propensity, "
    "proposal, neighbour, neighbour_distance, redundancy, x, y "
    "FROM selection s JOIN item i ON i.id = s.item_id JOIN round r ON r.id = s.round_id",
    "tasks": "SELECT number, key, t.state, t.external_id IS NULL "
    "FROM task t JOIN item i ON i.id = t.item_id JOIN round r ON r.id = t.round_id",
    "annotations": "SELECT key, label, problem, skipped, deleted, seconds "
    "FROM annotation a JOIN item i ON i.id = a.item_id",
    "labels": "SELECT key, revision, value, status, confidence, method, current "
    "FROM label l JOIN item i ON i.id = l.item_id",
    "models": "SELECT posterior, seed, data_hash, labels, uri, sha256 FROM model_run",
    "metrics": "SELECT number, split, name, value, low, high, n "
    "FROM metric m JOIN round r ON r.id = m.round_id",
    "predictions": 'SELECT number, arm, labels, n, "right", content '
    "FROM prediction_set p JOIN round r ON r.id = p.round_id",
    "diagnostics": "SELECT number, name, content FROM diagnostic d LEFT JOIN round r ON r.id = d.round_id",
    "maps": "SELECT encoder, pool_sha256, content FROM pool_map",
    "budget": "SELECT number, metric, labels, annotations, seconds, cost, value, low, high, n "
    "FROM budget_point b JOIN round r ON r.id = b.round_id",
}
#: Of a finding: how long something took, days by the pace of people, and where the project lies.
OF_A_RUN = frozenset({"seconds", "dates", "database", "configuration_sha256"})


def ask_database(config: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the project's database, whatever kind it is."""
    engine = make_engine(load_settings(config).database_url)
    try:
        with engine.connect() as connection:
            plain = connection.execution_options(reading=True)
            return [tuple(map(_plain, row)) for row in plain.execute(sa.text(query))]
    finally:
        engine.dispose()


def _plain(value: Any) -> Any:
    """The same on every database: PostgreSQL reads JSON, SQLite leaves it as it was written."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def what_is_left(config: Path) -> dict[str, list[Any]]:
    """The database, table by table."""
    left = {table: ask_database(config, query) for table, query in FACTS.items()}
    left["diagnostics"] = [
        (number, name, _timeless(content)) for number, name, content in left["diagnostics"]
    ]
    return {table: sorted(rows, key=repr) for table, rows in left.items()}


def _timeless(content: str) -> str:
    """A finding without what differs in any two runs."""

    def without(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if name not in OF_A_RUN}

    return json.dumps(json.loads(content, object_hook=without), sort_keys=True)


def what_the_labeler_holds(labeler: Any, config: Path) -> list[Any]:
    """Tasks and answers at the labeler."""
    ((project,),) = ask_database(config, "SELECT external_id FROM labeler_link")
    return sorted(
        (task.item_key, task.round_key[:10], [(a.label, a.skipped) for a in task.annotations])
        for task in labeler.changed_tasks(project, None)
    )


def check_same(
    found: dict[str, list[Any]],
    expected: dict[str, list[Any]],
    where: str,
    *,
    apart_from: tuple[str, ...] = (),
) -> None:
    """Nothing lost, nothing doubled, nothing stuck."""
    for table, rows in expected.items():
        if table not in apart_from:
            _check_rows(found[table], rows, f"{table}, {where}")


def _check_rows(found: list[Any], expected: list[Any], where: str) -> None:
    lost = [row for row in expected if found.count(row) < expected.count(row)]
    new = [row for row in found if expected.count(row) < found.count(row)]
    assert (lost, new) == ([], []), f"{where}: lost or other {lost[:3]}, new or doubled {new[:3]}"
