"""The benchmark of many workers in its short form: twelve rounds, ten processes, nothing twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "many_workers.py"


@pytest.mark.postgresql
def test_ten_workers_on_postgresql_do_nothing_twice_and_lose_nothing(postgresql_database: str) -> None:
    words = ["--workers", "10", "--projects", "3", "--rounds", "4", "--database", postgresql_database]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["rounds_closed"] == 12
    assert found["lost"] == found["failed"] == 0
    assert {name: times for name, times in found.items() if name.endswith("_twice") and times} == {}
