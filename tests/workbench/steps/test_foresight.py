"""A closed round keeps its forecast and what the stopping rules said: once, and whatever happens to them."""

from typing import Any

import numpy as np
import pytest

import acquisition
from tests.workbench.steps.conftest import Played
from workbench.reports.kept_forecast import content_of
from workbench.reports.outlook import outlook_of
from workbench.steps import stopping
from workbench.steps.parts import Parts
from workbench.steps.stopping import history


def _kept(parts: Parts, name: str) -> list[tuple[int | None, dict[str, Any]]]:
    with parts.store.read() as tx:
        found = tx.facts(parts.project).diagnostics.all(name)
    return [(one.round_number, one.content) for one in found]


def test_every_closed_round_keeps_both_once_and_as_they_can_be_computed_again(played: Played) -> None:
    parts = played(3)
    forecasts, rules = _kept(parts, "forecast"), _kept(parts, "stopping")
    assert [number for number, _ in forecasts] == [number for number, _ in rules] == [0, 1, 2]
    with parts.store.read() as tx:
        facts = tx.facts(parts.project)
        last = facts.diagnostics.newest("forecast")
        assert last is not None
        again = content_of(outlook_of(tx.facts(parts.project, last.at)))
    assert last.content == again
    assert {one["rule"] for one in rules[-1][1]["rules"]} == set(acquisition.catalog()["stopping_rules"])


def test_what_the_rules_said_is_what_they_say_of_the_closed_rounds(played: Played) -> None:
    parts = played(3)
    told = history(parts)
    for one in _kept(parts, "stopping")[-1][1]["rules"]:
        verdict = acquisition.stop(one["rule"], told)
        assert one["stated"] + " " + one["reason"] == verdict.reason
        assert (one["says"] == "stop") is verdict.stop


def test_a_forecast_that_can_not_be_made_fails_no_round(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("no such curve")

    monkeypatch.setattr("workbench.steps.foresight.content_of", refuse)
    monkeypatch.setattr("workbench.steps.foresight.history", refuse)
    parts = played(2)
    assert [content for _, content in _kept(parts, "forecast")] == [{"problem": "no such curve"}] * 2
    says = {one["says"] for _, content in _kept(parts, "stopping") for one in content["rules"]}
    assert says == {"not enough evidence"}


def test_the_stop_set_is_the_same_unlabeled_items_in_every_round(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "ITEMS", 20)
    parts = played(3)
    told = history(parts)
    sizes = [len(found.predicted_N) for found in told.rounds if found.predicted_N is not None]
    # The first round had no model, so scored nothing.
    assert len(sizes) == 2
    assert len(set(sizes)) == 1
    assert 0 < sizes[0] <= 20
    assert np.isfinite([found.mean_entropy for found in told.rounds if found.mean_entropy is not None]).all()
