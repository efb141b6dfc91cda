"""Keys that not every database could find items by are left out when the pool is filled, and named."""

import random
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from tests.faults.little_project import write_config
from workbench.bootstrap import add_to_pool, open_parts, upgrade_database
from workbench.steps.ingest import KEY_BYTES
from workbench.storage.store import Store
from workbench.storage.tables import item


def test_a_key_that_is_too_long_for_an_index_is_left_out_and_named_in_short(tmp_path: Path) -> None:
    letters = random.Random(0).choices("äöü", k=KEY_BYTES // 2)
    longest, too_long = "".join(letters), "".join([*letters, "e"])
    config = write_config(tmp_path / "project", "long keys", "embedded")
    upgrade_database(config)
    pd.DataFrame({"key": [longest, too_long], "x": [1.0, 2.0]}).to_csv(tmp_path / "items.csv", index=False)
    added = add_to_pool(config, tmp_path / "items.csv", features=("x",), key="key")
    assert added.pool == 1
    (left_out,) = added.broken
    assert left_out.reason == f"the key is {KEY_BYTES + 1} bytes long, and {KEY_BYTES} are the most"
    assert too_long.startswith(left_out.key.removesuffix("…"))
    assert len(left_out.key) < 100
    with open_parts(config) as parts, parts.store.read() as tx:
        assert [shard.rows for shard in tx.pool.shards(parts.project.id)] == [1]


@pytest.mark.parametrize(
    "empty_database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_the_longest_key_fits_however_random_it_is(store: Store) -> None:
    key = "".join(random.Random(0).choices([chr(code) for code in range(33, 127)], k=KEY_BYTES))
    row = {"project_id": 1, "key": key, "split": "pool", "payload": {}, "sha256": "", "row": 0}
    with store.engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.execute(item.insert().values(**row, pool_shard_id=1))
        assert connection.execute(sa.select(item.c.key)).scalar_one() == key
