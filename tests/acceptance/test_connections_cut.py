"""PostgreSQL ends our connection right before a commit, again and again: the round ends as if it had not."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from workbench import loop
from workbench.bootstrap import open_parts
from workbench.domain.errors import DatabaseAway
from workbench.domain.rounds import RoundState
from workbench.steps.parts import Parts
from workbench.storage import patience
from workbench.storage.store import Store, Transaction
from workbench.storage.tables import event, item, label, metric, selection, task

pytestmark = pytest.mark.postgresql


@contextmanager
def cut(postgresql: Any, seed: int, cuts: list[int]) -> Iterator[None]:
    """End about every tenth connection, when all is written and nothing is committed."""
    begin = Store.begin
    dice = random.Random(seed)

    @contextmanager
    def cutting(store: Store) -> Iterator[Transaction]:
        with begin(store) as tx:
            yield tx
            if dice.random() < 0.1:
                query = sa.text("SELECT pg_backend_pid()")
                pid = int(tx.rounds._connection.execute(query).scalar_one())
                cuts.append(pid)
                postgresql.execute(f"SELECT pg_terminate_backend({pid})")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "begin", cutting)
        patch.setattr(patience, "PAUSES", (0.01,) * 50)
        yield


def drive(folder: Any, parts: Parts) -> None:
    """Do what the round waits for, again after every failure, as the scheduler does."""
    for _ in range(200):
        with parts.store.read() as tx:
            found = tx.rounds.all(parts.project.id)
        try:
            if not found:
                loop.ask(parts)
            elif found[-1].state is RoundState.CLOSED:
                return
            elif found[-1].position is RoundState.LABELING:
                folder.label_all()
                loop.tell(parts)
            else:
                loop.resume(parts)
        except DatabaseAway:
            continue
    raise AssertionError("it never ended")


def left(parts: Parts) -> dict[str, list[Any]]:
    """What the round has brought, without clocks."""
    wanted = {
        "picks": sa.select(item.c.key, selection.c.rank, selection.c.reason, selection.c.score)
        .join(item, item.c.id == selection.c.item_id)
        .order_by(selection.c.rank),
        "tasks": sa.select(task.c.state, task.c.external_id).order_by(task.c.external_id),
        "labels": sa.select(item.c.key, label.c.value, label.c.revision, label.c.current)
        .join(item, item.c.id == label.c.item_id)
        .order_by(item.c.key),
        "metrics": sa.select(metric.c.split, metric.c.name, metric.c.value).order_by(metric.c.name),
        "moves": sa.select(event.c.kind)
        .where(event.c.kind.in_([state.value for state in RoundState]))
        .order_by(event.c.id),
    }
    with parts.store.engine.connect() as connection:
        return {name: [tuple(row) for row in connection.execute(query)] for name, query in wanted.items()}


def test_a_round_whose_connections_are_cut_again_and_again_ends_as_one_that_was_left_alone(
    postgresql: Any, new_folder: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for seed in (0, 1):
        folder = new_folder()
        cuts: list[int] = []
        with postgresql.database() as url:
            monkeypatch.setenv("WORKBENCH_DATABASE_URL", url)
            folder.ready()
            with open_parts(Path(folder.path) / "workbench.toml") as parts:
                if seed:
                    with cut(postgresql, seed, cuts):
                        drive(folder, parts)
                else:
                    drive(folder, parts)
                found.append(left(parts))
        assert len(cuts) >= 3 or not seed
    assert found[1] == found[0]
    assert len(found[0]["picks"]) == len(found[0]["labels"]) == 6
