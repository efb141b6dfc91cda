"""Steps on a database of every kind."""

from tests.workbench.storage.conftest import empty_database_url, store

__all__ = ["empty_database_url", "store"]
