"""Evidence is for reports: whatever goes wrong while it is gathered, rounds close as without it."""

from typing import Any

import pytest
import sqlalchemy as sa

from tests.workbench.steps.conftest import Played
from workbench.domain.rounds import RoundState
from workbench.learning.learner import Learner
from workbench.reports.reading import read_report
from workbench.steps import calibration, control, convergence, foresight
from workbench.steps.parts import Parts

DAMAGE = (
    ("UPDATE diagnostic SET content = '{oops'", "UPDATE pool_map SET content = x'00ff'"),
    (
        "UPDATE diagnostic SET content = '3'",
        "UPDATE prediction_set SET content = substr(content, 1, 40), right = x'00'",
    ),
)


def _closed(parts: Parts) -> int:
    with parts.store.read() as tx:
        return sum(held.state is RoundState.CLOSED for held in tx.rounds.all(parts.project.id))


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ZeroDivisionError()])
def test_no_round_fails_by_its_evidence(
    error: Exception, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_named: object) -> Any:
        raise error

    for place, name in (
        (Learner, "plain"),
        (control, "_trained"),
        (calibration, "_measured"),
        (convergence, "_converging"),
        (foresight, "history"),
        (foresight, "outlook_of"),
    ):
        monkeypatch.setattr(place, name, broken)
    parts = played(2)
    assert _closed(parts) == 2
    with parts.store.read() as tx:
        kept = {
            name: tx.evidence.diagnostics(parts.project.id, name) for name in ("convergence", "calibration")
        }
    words = str(error) or type(error).__name__
    assert {row["missing"] for rows in kept.values() for row in rows if "missing" in row} == {words}


@pytest.mark.parametrize("statements", DAMAGE)
def test_no_round_fails_by_damaged_evidence(statements: tuple[str, ...], played: Played) -> None:
    parts = played(1)
    with parts.store.engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    again = played(2)
    assert _closed(again) == 2
    assert read_report(again.store, again.project).panels


def test_what_is_no_number_is_kept_as_nothing(played: Played) -> None:
    parts = played(1)
    content = {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": -float("inf")}}
    with parts.store.begin() as tx:
        tx.evidence.keep_diagnostic(parts.project.id, "strange", content)
        assert tx.evidence.diagnostics(parts.project.id, "strange") == [
            {"a": None, "b": [None, 1.5], "c": {"d": None}}
        ]
