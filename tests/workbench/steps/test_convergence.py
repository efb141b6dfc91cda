"""How many samples are enough, as a round keeps it."""

import json
from pathlib import Path

import pytest

from tests.faults.little_project import CLASSES
from tests.workbench.steps.conftest import Played
from workbench.domain.rounds import Round
from workbench.steps.convergence import ITEMS, NAME, find_convergence, keep_convergence
from workbench.steps.models import model_that_scored
from workbench.steps.parts import Parts
from workbench.storage.evidence import Evidence
from workbench.storage.facts.diagnostics import Diagnostic
from workbench.storage.shards import read_scores, read_shard, rows_of


def _found(parts: Parts) -> list[Diagnostic]:
    with parts.store.read() as tx:
        return tx.facts(parts.project).diagnostics.all(NAME)


def _again(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> dict[str, object] | None:
    """Look at the newest round once more, as if nobody had."""
    monkeypatch.setattr(Evidence, "has_diagnostic", lambda *_: False)
    last = _last(parts)
    with parts.store.read() as tx:
        shards = tx.pool.shards(parts.project.id)
    return find_convergence(parts, last, model_that_scored(parts, last), shards)


def _last(parts: Parts) -> Round:
    with parts.store.read() as tx:
        return tx.rounds.all(parts.project.id)[-1]


def test_a_scored_round_keeps_one_finding_and_a_coverage_round_none(played: Played) -> None:
    parts = played(2)
    (found,) = _found(parts)
    assert found.round_number == 1
    assert len(json.dumps(found.content, allow_nan=False)) < 20_000
    used = parts.config.posterior.samples
    assert found.content["used"] == used
    assert used in [row["n_samples"] for row in found.content["rows"]]
    assert found.content["rows"][-1]["n_samples"] == found.content["samples"] // 2 > used
    assert found.content["items"] <= ITEMS
    last = _last(parts)
    with parts.store.begin() as tx:
        keep_convergence(tx, parts.project.id, last.id, {"missing": "nothing"})
        shards = tx.pool.shards(parts.project.id)
    assert len(_found(parts)) == 1
    assert find_convergence(parts, last, model_that_scored(parts, last), shards) is None


def test_the_same_pool_and_model_give_the_same_finding_which_counts_the_whole_pool(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = played(2)
    assert _again(parts, monkeypatch) == _found(parts)[-1].content
    files = sorted(parts.scores_directory(_last(parts)).glob("part-*.parquet"))
    seen = [number for file in files for number in read_scores(file).predicted_N.tolist()]
    content = _found(parts)[-1].content
    assert content["predicted"] == [seen.count(number) for number in range(len(CLASSES))]
    assert content["pool"] == len(seen)


def test_a_pool_or_scores_that_are_lost_fail_no_round(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = played(2)
    for file in (parts.directory / "pool").glob("*.parquet"):
        file.write_bytes(b"not a table")
    found = _again(parts, monkeypatch)
    assert found is not None
    assert "damaged" in str(found["missing"])
    assert found["pool"] == _found(parts)[-1].content["pool"]
    for file in parts.scores_directory(_last(parts)).glob("part-*.parquet"):
        file.unlink()
    found = _again(parts, monkeypatch)
    assert found is not None
    assert "is missing" in str(found["missing"])


def test_rows_of_a_shard_come_in_the_order_that_is_asked_for(played: Played) -> None:
    parts = played(1)
    path: Path = next((parts.directory / "pool").glob("*.parquet"))
    every = [row for rows in read_shard(path) for row in rows]
    assert rows_of(path, [5, 0, 3]) == [every[5], every[0], every[3]]  # type: ignore[arg-type]
