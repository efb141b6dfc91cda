"""The schema is made by migrations alone, and every database says which revision it is at."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from workbench.domain.errors import DatabaseProblem
from workbench.storage import revisions
from workbench.storage.store import open_store
from workbench.storage.tables import metadata


def test_the_migrated_schema_is_the_schema_of_the_tables(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    store.upgrade()
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, metadata) == []
    store.close()


def test_upgrading_twice_is_upgrading_once(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    assert store.upgrade().current
    assert store.upgrade().current
    store.check()
    store.close()


def test_an_empty_database_is_refused_with_the_command_to_type(empty_database_url: str) -> None:
    store = open_store(empty_database_url)
    with pytest.raises(DatabaseProblem, match=r"(no tables yet|no database at).*workbench db upgrade"):
        store.check()
    store.close()


@pytest.mark.parametrize("act", ["check", "upgrade"])
def test_a_database_of_a_newer_version_is_left_alone(empty_database_url: str, act: str) -> None:
    store = open_store(empty_database_url)
    store.upgrade()
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseProblem, match=r"9999.*newer workbench"):
        getattr(store, act)()
    store.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql+nodriver://x/y", "oracle://"])
def test_an_address_that_means_nothing_is_explained(url: str) -> None:
    with pytest.raises(DatabaseProblem, match=r"WORKBENCH_DATABASE_URL|driver"):
        open_store(url)


def test_a_database_that_is_away_is_explained_without_its_password() -> None:
    store = open_store("postgresql://someone:topsecret@127.0.0.1:1/none")
    with pytest.raises(DatabaseProblem, match="server is up") as caught:
        store.check()
    assert "topsecret" not in str(caught.value)


def test_migrations_are_known_by_the_names_of_their_files() -> None:
    script = ScriptDirectory.from_config(revisions._config())
    in_order = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions._revisions() == in_order
