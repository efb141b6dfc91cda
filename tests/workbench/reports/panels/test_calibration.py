"""Is the model calibrated: projects whose answer is known."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from scipy.stats import binom

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.records import TaskKind
from workbench.reports.chart import Dots, Line
from workbench.reports.panel import Reading, Tone, View
from workbench.reports.panels.calibration import Calibration
from workbench.reports.panels.calibration_words import samples, samples_needed, short_verdict
from workbench.storage.store import Store

SMALL = MadeUp(foreseen=0, rounds=3, batch=60, pool=800, test_items=1500)


def _read(store: Store, what: MadeUp, days: float = 400) -> Reading:
    what.write(store)
    with store.read() as tx:
        project = tx.projects.get(what.name)
        assert project is not None
        return Calibration().read(tx.facts(project, START + timedelta(days=days)), View())


def test_a_calibrated_model_is_called_so_with_its_error_and_the_floor(store: Store) -> None:
    reading = _read(store, SMALL)
    assert reading.findings[0].tone is Tone.GOOD
    assert reading.findings[0].words.startswith("The model is calibrated: its calibration error of")
    assert "1 500 held-out items" in reading.findings[0].words.replace("\u202f", " ")
    rows = {row.measure: row for row in reading.tables[0].rows}
    assert rows["ECE, equal mass"].value < rows["ECE, equal mass"].floor
    assert rows["confidence − accuracy"].low < 0 < rows["confidence − accuracy"].high
    assert all(row.n == 1500 for row in rows.values())


@pytest.mark.parametrize(
    ("sharpness", "words"), [(2.0, "it is overconfident"), (0.5, "not confident enough")]
)
def test_a_model_that_is_too_sure_or_not_sure_enough_is_called_so(
    store: Store, sharpness: float, words: str
) -> None:
    reading = _read(store, replace(SMALL, sharpness=sharpness))
    assert reading.findings[0].tone is Tone.BAD
    assert reading.findings[0].words.startswith("The model is not calibrated")
    assert words in reading.findings[0].words


def test_of_few_items_nothing_is_shown(store: Store) -> None:
    reading = _read(store, replace(SMALL, test_items=60))
    assert reading.findings[0].tone is Tone.UNKNOWN
    assert "is not shown" in reading.findings[0].words


def test_bins_hold_all_items_and_their_band_is_that_of_a_binomial_share(store: Store) -> None:
    reading = _read(store, SMALL)
    rows = reading.tables[1].rows
    assert sum(row.n for row in rows) == 1500
    for row in rows:
        low, high = binom.interval(0.95, row.n, row.confidence)
        assert (row.perfect_low, row.perfect_high) == (
            pytest.approx(low / row.n),
            pytest.approx(high / row.n),
        )
        assert row.accuracy_low <= row.accuracy <= row.accuracy_high
    diagram = next(chart for chart in reading.charts if chart.name == "calibration_reliability")
    band, dots = diagram.marks
    assert isinstance(band, Line)
    assert isinstance(dots, Dots)
    assert list(dots.y) == [row.accuracy for row in rows]
    assert [word.split()[0] for word in dots.words] == [f"{row.n}" for row in rows]
    assert list(band.low) == [row.perfect_low for row in rows]


def test_the_risk_ends_at_the_share_of_errors_and_a_perfect_order_is_never_worse(store: Store) -> None:
    reading = _read(store, SMALL)
    rows = reading.tables[2].rows
    wrong = reading.tables[3].rows[0].wrong
    assert rows[-1].coverage == 1
    assert rows[-1].risk == pytest.approx(wrong / 1500, abs=1e-5)
    assert rows[-1].perfect_order == pytest.approx(wrong / 1500)
    assert all(row.perfect_order <= row.risk + 1e-6 for row in rows)
    assert len(rows) <= 100


def test_every_score_is_held_against_errors_with_an_interval(store: Store) -> None:
    rows = _read(store, SMALL).tables[3].rows
    assert [row.score for row in rows] == [
        "mutual information (BALD)",
        "entropy of the prediction",
        "1 − confidence",
    ]
    assert all(0.5 < row.low < row.auroc < row.high < 1 for row in rows)


def test_every_round_has_its_row_and_an_old_report_only_its_own(store: Store) -> None:
    late = _read(store, SMALL)
    assert [row.round for row in late.tables[5].rows] == [0, 1, 2]
    assert any(chart.name == "calibration_rounds" for chart in late.charts)
    early = _read(store, replace(SMALL, name="early"), days=0.9)
    assert early.tables[5].rows == late.tables[5].rows[:1]
    assert not any(chart.name == "calibration_rounds" for chart in early.charts)


def test_an_empty_project_says_what_is_missing_and_what_to_type(store: Store) -> None:
    with store.begin() as tx:
        project = tx.projects.ensure("empty", kind=TaskKind.TEXT, classes=("a", "b"), seed=0)
    with store.read() as tx:
        reading = Calibration().read(tx.facts(project), View())
    assert [finding.tone for finding in reading.findings] == [Tone.UNKNOWN]
    assert "--test-share 0.2`" in reading.findings[0].words
    assert reading.charts == ()
    assert all(not table.rows for table in reading.tables)


def test_a_round_that_could_not_be_measured_does_not_hide_the_one_before(store: Store) -> None:
    before = _read(store, SMALL)
    with store.begin() as tx:
        project = tx.projects.get(SMALL.name)
        assert project is not None
        tx.evidence.keep_diagnostic(project.id, "calibration", {"n": 0, "missing": "nothing is held out"})
        tx.evidence.keep_diagnostic(project.id, "convergence", {"missing": "one sample"})
    with store.read() as tx:
        after = Calibration().read(tx.facts(project), View())
    assert after == before


def _convergence(enough: int | None, overlaps: Mapping[int, float], used: int = 50) -> dict[str, Any]:
    rows = [{"n_samples": n, "overlap": share, "overlap_error": 0.01} for n, share in overlaps.items()]
    return {"rows": rows, "used": used, "enough": enough, "top": 40, "items": 400}


def test_samples_are_enough_from_where_two_draws_agree() -> None:
    good = samples(_convergence(32, {16: 0.85, 32: 0.91, 50: 0.94, 100: 0.96}))
    assert good.tone is Tone.GOOD
    assert "90.0 % is reached with 32" in good.words
    more = samples(_convergence(100, {32: 0.8, 50: 0.85, 100: 0.91}))
    assert more.tone is Tone.WARNING
    assert "would take 100" in more.words
    assert "about 230" in samples(_convergence(None, {50: 0.8, 100: 0.85})).words


def test_the_law_that_continues_the_agreement_is_the_one_that_independent_noise_obeys() -> None:
    # What is not shared falls with the square root: 20 % at 100 samples are 10 % at 400.
    assert samples_needed(_convergence(None, {100: 0.8})) == 400


def _content(
    p: float, low: float, high: float, floor: float, *, n: int = 1000, wrong: int = 80
) -> dict[str, Any]:
    return {
        "n": n,
        "wrong": wrong,
        "confidence": 1 - wrong / n + (low + high) / 2,
        "overconfidence": {"value": (low + high) / 2, "low": low, "high": high},
        "ece_equal_mass": {"value": 0.03, "floor": floor / 2, "floor_high": floor, "p": p},
    }


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (_content(0.01, 0.02, 0.08, 0.02), "overconfident"),
        (_content(0.01, -0.08, -0.02, 0.02), "underconfident"),
        (_content(0.01, -0.02, 0.02, 0.02), "not calibrated"),
        (_content(0.30, -0.02, 0.02, 0.04), "calibrated"),
        (_content(0.30, -0.02, 0.02, 0.06), "not shown"),
        (_content(0.30, -0.02, 0.06, 0.04), "not shown"),
        (_content(0.30, -0.001, 0.001, 0.001, n=12, wrong=0), "not shown"),
        (_content(0.30, -0.001, 0.001, 0.001, n=60, wrong=0), "not shown"),
        (_content(0.30, -0.001, 0.001, 0.001, n=90, wrong=0), "calibrated"),
    ],
)
def test_the_verdict_needs_the_error_its_floor_and_the_gap(content: dict[str, Any], verdict: str) -> None:
    assert short_verdict(content) == verdict
