"""What people are called for whom: the key that made-up names follow from is random, and never leaves."""

import secrets

from workbench.domain.pseudonyms import Names, hidden_names, open_names
from workbench.domain.records import Project
from workbench.storage.store import Store, Transaction

BYTES = 32


def names_for(store: Store, of: Project, *, seen: bool) -> Names:
    """What people of a project are called for somebody who may see their names, or may not.

    The first time that somebody may not, the key is made and kept. Not inside a transaction.
    """
    if seen:
        return open_names
    with store.read() as tx:
        key = tx.projects.name_key(of.id)
    if key is None:
        key = store.insist(lambda tx: _make(tx, of.id))
    return hidden_names(key)


def _make(tx: Transaction, project_id: int) -> bytes:
    tx.projects.keep_name_key(project_id, secrets.token_bytes(BYTES))
    key = tx.projects.name_key(project_id)
    assert key is not None
    return key
