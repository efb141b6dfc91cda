"""Numbers come out of every kind of database as the same numbers: a copy of a database says the same."""

import numpy as np
import sqlalchemy as sa

from workbench.storage.facts.packing import floats, packed_floats
from workbench.storage.store import Store


def test_numbers_are_the_same_from_every_kind_of_database(store: Store) -> None:
    given = [
        0.0,
        7.373026492866633,
        13.438492014935486,
        1 / 3,
        18.46686098038798,
        None,
        86_400.123456789,
        1e300,
    ]
    table = sa.Table("numbers", sa.MetaData(), sa.Column("value", sa.Float))
    with store.engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"value": value} for value in given])
        text = connection.execute(sa.select(packed_floats(connection, table.c.value))).scalar_one()
    expected = [0.0, 7.373026493, 13.438492015, 0.333333333, 18.46686098, np.nan, 86_400.123456789, 9e9]
    np.testing.assert_array_equal(np.sort(floats(text)), np.sort(expected))
