"""What a schedule has to look at data for: stopping rules, the target, and a pool that drifts."""

from typing import Any

import pandas as pd
import torch

from workbench.bootstrap import open_parts
from workbench.steps.stopping import history, stops

WORDS = ("--features", "x,y", "--key", "key")


def more_items(folder: Any, name: str, first: int, *, shift: float) -> None:
    """Twenty-four more items, elsewhere by ``shift``."""
    rows = range(first, first + 24)
    frame = pd.DataFrame(
        {
            "key": [f"item-{row:02d}" for row in rows],
            "x": [row % 3 + (row * 7 % 11) / 40 + shift for row in rows],
            "y": [(row * 5 % 13) / 13 - shift for row in rows],
        }
    )
    frame.to_csv(folder.path / name, index=False)
    added = folder.type("pool", "add", name, *WORDS)
    assert added.code == 0, added.err


def events(folder: Any, kind: str) -> list[str]:
    return [event["message"] for event in folder.type("log", "--kind", kind, "--json").json["events"]]


def test_a_pool_that_drifts_starts_a_round_and_one_that_only_grows_does_not(folder: Any) -> None:
    folder.ready(40, test_share="0", more="[schedule]\non_drift = 0.05\n")
    folder.type("run", "--once")
    assert events(folder, "started") == [], "there is nothing yet to drift from"
    folder.type("schedule", "now")
    folder.type("run", "--once")
    folder.label_all()
    folder.type("run", "--once")
    more_items(folder, "same.csv", 40, shift=0.0)
    for _ in range(2):
        folder.type("run", "--once")
    (words,) = events(folder, "no-drift")
    assert "No difference was found" in words
    assert "24 against" not in words
    assert len(events(folder, "started")) == 1
    more_items(folder, "far.csv", 64, shift=5.0)
    folder.type("run", "--once")
    assert len(events(folder, "drift")) == 1
    assert "The pool has drifted" in events(folder, "started")[1]


def test_a_stopping_rule_ends_the_schedule_in_words(folder: Any) -> None:
    schedule = '[schedule]\nafter_close = true\nstop_rules = ["classification_change"]\n'
    folder.ready(60, more=schedule)
    for _ in range(7):
        if "stopped" in folder.type("run", "--once").err:
            break
        folder.label_all()
    stats = folder.type("pool", "stats", "--json").json
    pool = stats["items"] - stats["held_out"]
    with open_parts(folder.path / "workbench.toml") as parts:
        told = history(parts)
        with parts.store.read() as tx:
            labeled = {label.item_key for label in tx.annotations.labels(parts.project.id)}
        assert [found.n_labels for found in told.rounds] == [6 * (n + 1) for n in range(len(told.rounds))]
        assert told.rounds[0].predicted_N is None, "a coverage round predicts nothing"
        seen = [found.predicted_N for found in told.rounds[1:]]
        assert all(isinstance(predicted_N, torch.Tensor) for predicted_N in seen)
        sizes = {len(predicted_N) for predicted_N in seen if predicted_N is not None}
        before_the_last = len(labeled) - 6
        assert sizes == {pool - before_the_last}, "the same items in every round, never labeled when scored"
        assert all(found.standard_error is None or found.standard_error > 0 for found in told.rounds)
        assert stops(parts, ()) is None
        lost = parts.directory / "scores" / "round-0002" / "part-00000.parquet"
        lost.unlink()
        assert history(parts).rounds[2].predicted_N is None
    page = folder.type("schedule", "show", "--json").json
    assert page["state"] == "stopped", page
    assert "the stopping rule classification_change says so: Stop when at most" in page["reason"]


def test_the_target_is_reached_when_the_lower_end_of_the_interval_is(folder: Any) -> None:
    folder.ready(60, more="[schedule]\nafter_close = true\ntarget = 0.5\n")
    for _ in range(6):
        folder.type("run", "--once")
        folder.label_all()
    page = folder.type("schedule", "show", "--json").json
    assert page["state"] == "stopped"
    assert "the target is reached: at least 0." in page["reason"]
    *before, last = folder.type("report", "--json").json["budget_curve"]
    assert last["accuracy_low"] >= 0.5
    assert all(point["accuracy_low"] < 0.5 for point in before)
