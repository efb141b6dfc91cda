"""Whatever a database holds, all faces show it: no panel fails, no share is beyond all, no number is none.

``ANY_PROJECTS=1000`` tries so many projects.
"""

import io
import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import MadeUp
from workbench.domain.pseudonyms import hidden_names
from workbench.domain.terms import Terms
from workbench.reports.faces.document import as_document, as_json
from workbench.reports.faces.html import as_html
from workbench.reports.faces.spreadsheet import as_csv, tables_of
from workbench.reports.faces.terminal import show_panels
from workbench.reports.panel import Table, View
from workbench.reports.reading import Report, read_report
from workbench.reports.units import Column, Unit
from workbench.reports.unread import Unread
from workbench.storage.store import Store, open_store

PROJECTS = int(os.environ.get("ANY_PROJECTS", "2"))
STRANGE = "<script>=1+1 ../.. \u202e名 $x$"
#: What is done to some rows of a table: things that happen, and things that somebody may do by hand.
DONE = (
    ("budget_point", "value = NULL, low = NULL, high = NULL, n = 0"),
    ("budget_point", "labels = 0"),
    ("budget_point", "labels = max(0, 500 - labels)"),
    ("budget_point", "cost = 0, seconds = 0"),
    ("budget_point", "value = 1, low = 0.9, high = 1"),
    ("label", "status = 'withdrawn', value = NULL, confidence = 0"),
    ("label", "status = 'conflict', value = NULL, confidence = 0.5"),
    ("label", f"confidence = 0.3, method = '{STRANGE}'"),
    ("item", "removed_from = split, split = 'removed', removed_at = '2026-03-04 09:00:00.000000'"),
    ("item", "removed_from = split, split = 'removed', removed_at = created_at"),
    ("item", "split = 'gold', known_label = 'c1'"),
    ("item", "sha256 = 'the same'"),
    ("item", f"key = '{STRANGE}' || id"),
    ("annotation", "skipped = 1, label = NULL"),
    ("annotation", "deleted = 1"),
    ("annotation", "problem = 'no such class'"),
    ("annotation", "seconds = NULL"),
    ("annotation", "seconds = 1e9"),
    ("annotation", f"annotator = '{STRANGE}'"),
    ("annotation", f"label = '{STRANGE}'"),
    ("annotation", "created_at = '2099-01-01 00:00:00.000000'"),
    ("annotation", "received_at = '2099-01-01 00:00:00.000000'"),
    ("selection", "score = NULL, mutual_information = NULL, expected_entropy = NULL"),
    ("selection", "predicted = NULL, confidence = NULL"),
    ("selection", "proposal = NULL, redundancy = NULL, neighbour = NULL, x = NULL, y = NULL"),
    ("selection", "reason = 'relabel'"),
    ("round", "pool_size = NULL"),
    ("round", "pool_size = 1"),
    ("round", f"state = 'failed', failed_from = 'trained', error = '{STRANGE}'"),
    ("pool_shard", f"rows = 0, source = '{STRANGE}'"),
    ("terms", "content = '{}'"),
    ("prediction_set", "items_sha256 = 'others'"),
)
LOST = ("budget_point", "metric", "diagnostic", "prediction_set", "label", "round_move", "task_move", "terms")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without a project, made once."""
    path = tmp_path_factory.mktemp("any") / "workbench.db"
    opened = open_store(f"sqlite:///{path}")
    opened.upgrade()
    opened.close()
    return path


@pytest.mark.parametrize("seed", range(PROJECTS))
def test_every_face_shows_whatever_there_is(empty: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    made = _made(chance)
    (tmp_path / "any.db").write_bytes(empty.read_bytes())
    store = open_store(f"sqlite:///{tmp_path / 'any.db'}")
    made.write(store)
    if chance.random() < 0.3:
        replace(made, name="second", seed=made.seed + 1).write(store)
    what = _disturbed(store, chance)
    with store.read() as tx:
        project = tx.projects.get(made.name)
    assert project is not None
    ended = made.start + made.every * (made.rounds + 2)
    for at in (ended, made.start + made.every * chance.uniform(0, made.rounds + 1)):
        view = View(chance.choice([None, 0, 99]), (), chance.choice([None, 1, 10**7]))
        names = {} if chance.random() < 0.5 else {"names": hidden_names(b"key")}
        report = read_report(store, project, at=at, view=view, **names)
        assert [*_wrong(report)] == [], what
        _faces(report)
    store.close()


def _made(chance: random.Random) -> MadeUp:
    terms = Terms(
        per_annotation=chance.choice([0.0, 0.02]),
        per_hour=chance.choice([0.0, 18.0]),
        target=chance.choice([None, 0.5, 0.94, 1.0]),
        floor=chance.choice([None, 0.0, 0.8]),
        max_labels=chance.choice([None, 1, 1000]),
    )
    return MadeUp(
        name=STRANGE,
        classes=tuple(f"c{number}" for number in range(chance.choice([2, 3, 10]))),
        rounds=chance.choice([0, 1, 2, 3, 5]),
        batch=chance.choice([1, 5, 20]),
        test_items=chance.choice([2, 40, 150]),
        pool=chance.choice([200, 10_000]),
        overlap_share=chance.choice([0.0, 0.5, 1.0]),
        people=dict.fromkeys(
            ["ada", "ben", "cy", "di"][: chance.choice([1, 2, 4])], chance.choice([0.05, 0.9])
        ),
        ceiling=chance.choice([0.6, 0.97]),
        gain=chance.choice([0.0, 0.4, 2.2]),
        waste=chance.choice([0.4, 1.0, 5.0]),
        random_arm=chance.random() < 0.6,
        control_share=chance.choice([0.0, 0.1, 0.5]),
        open_round=chance.random() < 0.5,
        failed=chance.random() < 0.2,
        terms=terms,
        every=chance.choice([timedelta(seconds=1), timedelta(days=1), timedelta(days=400)]),
        foreseen=chance.choice([0, 6]),
        seed=chance.randrange(10**6),
    )


def _disturbed(store: Store, chance: random.Random) -> list[str]:
    """What was done to the database, for whoever reads of a failure."""
    some = f"abs(id * 2654435761 + {chance.randrange(999)}) % 10 < {chance.choice([2, 6, 10])}"
    changed = chance.sample(DONE, chance.randrange(4))
    lost = chance.sample(LOST, chance.randrange(2))
    done = [f'UPDATE "{table}" SET {values} WHERE {some}' for table, values in changed]
    done += [f'DELETE FROM "{table}" WHERE {some}' for table in lost]
    with store.engine.begin() as connection:
        for statement in done:
            connection.execute(sa.text(statement))
    return done


def _wrong(report: Report) -> Iterator[str]:
    for panel in report.panels:
        for finding in panel.reading.findings:
            if {"nan", "inf", "None", "∞"} & set(finding.words.replace(",", " ").split()):
                yield finding.words
        for table in panel.reading.tables:
            if table.row is Unread:
                yield f"{panel.name}: {table.rows[0].problem}"
            else:
                yield from _wrong_cells(table)


def _wrong_cells(table: Table) -> Iterator[str]:
    for row in table.rows:
        for column in table.columns:
            value = getattr(row, column.name)
            if not (column.optional if value is None else _fits(column, value)):
                yield f"{table.name}.{column.name} is {value!r}"


def _fits(column: Column, value: Any) -> bool:
    if column.unit in (Unit.COUNT, Unit.ROUND):
        return isinstance(value, int) and value >= 0
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if column.unit is Unit.SHARE:
        # What drawn items stand for is estimated, and may be more than the pool.
        return 0 <= value <= 1 or column.name == "represented"
    return column.unit is not Unit.MONEY or value >= 0


def _faces(report: Report) -> None:
    document = json.loads(as_json(as_document(report)))
    assert {table.name for table in tables_of(report)} <= set(document)
    assert all(as_csv(table).count("\r\n") > len(table.rows) for table in tables_of(report))
    out = io.StringIO()
    show_panels(report.panels, out, report.terms.currency)
    page = as_html(report)
    for panel in report.panels:
        assert panel.title in out.getvalue()
        assert f'id="{panel.name}"' in page
    assert "<script" not in page
