"""What a round says of where it was made: enough to make it again, and nothing of people and machines."""

import getpass
import json
import platform
import socket
from pathlib import Path
from typing import Any

from tests.workbench.steps.conftest import Played
from workbench.steps.environment import ENVIRONMENT
from workbench.steps.parts import Parts


def _kept(parts: Parts) -> list[dict[str, Any]]:
    with parts.store.read() as tx:
        return tx.evidence.diagnostics(parts.project.id, ENVIRONMENT)


def test_every_closed_round_says_once_what_it_was_made_with(played: Played) -> None:
    parts = played(2)
    kept = _kept(parts)
    assert len(kept) == 2
    assert {found["python"] for found in kept} == {platform.python_version()}
    assert {found["database_revision"] for found in kept} == {parts.store.status().needed}
    for name in ("model_sha256", "data_hash", "round_seed"):
        assert len({found[name] for found in kept}) == 2, f"two rounds have two models: {name}"
    assert len({found["configuration_sha256"] for found in kept}) == 1


def test_it_names_no_machine_no_person_and_no_place(played: Played, tmp_path: Path) -> None:
    kept = _kept(played(1))
    told = json.dumps(kept)
    strings = [value for found in kept for value in found.values() if isinstance(value, str)]
    assert socket.gethostname() not in strings
    assert getpass.getuser() not in strings
    assert str(tmp_path) not in told
    assert "/" not in "".join(strings)
