"""Calibration: whether the model is as often right as it says, and whether its doubts find its errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.reports.older import NOT_KEPT, kept_nothing
from workbench.reports.panel import Finding, Reading, Table, View
from workbench.reports.panels import calibration_charts as charts
from workbench.reports.panels import calibration_words as words
from workbench.reports.statistics.ranks import area_interval
from workbench.reports.units import Count, Nats, Points, RoundNumber, Share
from workbench.reports.unmeasured import unmeasured
from workbench.storage.facts.diagnostics import Diagnostic
from workbench.storage.facts.facts import Facts

SCORES = {
    "mutual_information": "mutual information (BALD)",
    "entropy": "entropy of the prediction",
    "one_minus_confidence": "1 − confidence",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure of the newest model. ``floor``: what a perfectly calibrated model would show."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    n: Count
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BinRow:
    """Held-out items of similar confidence."""

    confidence_from: Share
    confidence_to: Share
    n: Count
    confidence: Share
    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share
    perfect_low: Share
    perfect_high: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRow:
    """The share of errors among the surest items."""

    coverage: Share
    risk: Share
    perfect_order: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRow:
    """How often a wrong item has the larger score than a right one."""

    score: str
    auroc: Share
    low: Share
    high: Share
    wrong: Count
    n: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """How well two draws of so many samples agree on the most wanted items."""

    samples: Count
    agreement: Share
    agreement_low: Share
    agreement_high: Share
    noise_share: Share | None
    score_error: Nats | None
    in_use: bool
    enough: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """Calibration after one round."""

    round: RoundNumber
    n: Count
    ece_equal_width: Share | None
    ece_equal_mass: Share | None
    floor: Share | None
    overconfidence: Points | None
    overconfidence_low: Points | None
    overconfidence_high: Points | None
    brier: float | None
    nll: Nats | None
    aurc: float | None
    auroc: Share | None
    temperature: float | None
    verdict: str


class Calibration:
    """Whether the model is as often right as it says."""

    name = "calibration"
    title = "Calibration"
    sentence = "Is the model as often right as it says, and do its doubts find its errors?"

    def read(self, facts: Facts, view: View) -> Reading:
        """Read the newest findings, and those of every round."""
        history = [
            found for found in facts.diagnostics.all("calibration") if words.is_measured(found.content)
        ]
        samples = _newest(facts.diagnostics.all("convergence"), "rows")
        newest = history[-1].content if history else None
        why = "" if history else NOT_KEPT if kept_nothing(facts) else unmeasured(facts)
        return Reading(
            findings=tuple(_findings(history, samples, why)),
            tables=_tables(newest, samples, history),
            charts=(*charts.of_newest(newest), *charts.convergence(samples), *charts.by_round(history)),
        )


def _newest(found: list[Diagnostic], key: str) -> Mapping[str, Any] | None:
    return next((one.content for one in reversed(found) if key in one.content), None)


def _findings(history: list[Diagnostic], samples: Mapping[str, Any] | None, why: str) -> Iterator[Finding]:
    if history:
        newest = history[-1].content
        yield words.verdict(newest)
        yield words.ranking(newest)
        yield words.temperature(newest)
    else:
        yield words.unknown(f"Calibration is not shown: {why}.")
    if samples is not None:
        yield words.samples(samples)


def _tables(
    newest: Mapping[str, Any] | None, samples: Mapping[str, Any] | None, history: list[Diagnostic]
) -> tuple[Table, ...]:
    return (
        Table(name="calibration", title="Measures of the newest model", row=Row, rows=_rows(newest)),
        Table(name="calibration_bins", title="Right by confidence", row=BinRow, rows=_bins(newest)),
        Table(name="calibration_risk", title="Errors among the surest", row=RiskRow, rows=_risk(newest)),
        Table(
            name="calibration_ranking", title="Do doubts find errors?", row=RankingRow, rows=_ranks(newest)
        ),
        Table(
            name="calibration_samples",
            title="How many samples are enough",
            row=SampleRow,
            rows=_samples(samples),
        ),
        Table(
            name="calibration_by_round", title="Round by round", row=RoundRow, rows=[*map(_round, history)]
        ),
    )


def _rows(found: Mapping[str, Any] | None) -> list[Row]:
    if found is None:
        return []
    temperature = found["temperature"]
    of_all = [
        ("ECE, equal width", _error(found["ece_equal_width"]), words.ECE),
        ("ECE, equal mass", _error(found["ece_equal_mass"]), words.ECE_MASS),
        ("confidence − accuracy", {**found["overconfidence"], "floor": 0.0}, words.OVERCONFIDENCE),
        ("Brier score", {**found["brier"], "floor": found["brier"]["expected"]}, words.BRIER),
        ("negative log-likelihood", {**found["nll"], "floor": found["nll"]["expected"]}, words.NLL),
        ("AURC", {**found["aurc"], "floor": found["aurc"]["best"]}, words.AURC),
        ("temperature in use", {"value": temperature["used"]}, words.TEMPERATURE_USED),
        ("temperature that fits best", {"value": temperature.get("best")}, words.TEMPERATURE),
    ]
    return [_row(measure, numbers, found["n"], meaning) for measure, numbers, meaning in of_all]


def _row(measure: str, numbers: Mapping[str, Any], n: int, meaning: str) -> Row:
    asked = {name: numbers.get(name) for name in ("value", "low", "high", "floor")}
    return Row(measure=measure, n=n, meaning=meaning, **asked)


def _error(numbers: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"value": numbers["value"], "floor": numbers["floor_high"]}


def _bins(found: Mapping[str, Any] | None) -> list[BinRow]:
    return [] if found is None else [BinRow(**one._asdict()) for one in words.bins(found)]


def _risk(found: Mapping[str, Any] | None) -> list[RiskRow]:
    if found is None:
        return []
    return [
        RiskRow(coverage=coverage, risk=risk, perfect_order=words.perfect_risk(coverage, found))
        for coverage, risk in found["risk"]
    ]


def _ranks(found: Mapping[str, Any] | None) -> list[RankingRow]:
    if found is None or not found.get("ranking"):
        return []
    wrong, n = found["wrong"], found["n"]
    return [
        RankingRow(
            score=SCORES.get(name, name),
            auroc=area,
            **area_interval(area, wrong, n - wrong)._asdict(),
            wrong=wrong,
            n=n,
        )
        for name, area in found["ranking"].items()
    ]


def _samples(found: Mapping[str, Any] | None) -> list[SampleRow]:
    if found is None:
        return []
    return [
        SampleRow(
            samples=row["n_samples"],
            agreement=row["overlap"],
            agreement_low=low,
            agreement_high=high,
            noise_share=row["noise_share"],
            score_error=row["standard_error"],
            in_use=row["n_samples"] == found["used"],
            enough=found["enough"] is not None and row["n_samples"] >= found["enough"],
        )
        for row, (low, high) in zip(found["rows"], words.agreement_ends(found), strict=True)
    ]


def _round(found: Diagnostic) -> RoundRow:
    content = found.content
    over = content["overconfidence"]
    return RoundRow(
        round=found.round_number or 0,
        n=content["n"],
        ece_equal_width=content["ece_equal_width"]["value"],
        ece_equal_mass=content["ece_equal_mass"]["value"],
        floor=content["ece_equal_mass"]["floor_high"],
        overconfidence=over["value"],
        overconfidence_low=over["low"],
        overconfidence_high=over["high"],
        brier=content["brier"]["value"],
        nll=content["nll"]["value"],
        aurc=content["aurc"]["value"],
        auroc=(content.get("ranking") or {}).get("mutual_information"),
        temperature=content["temperature"].get("best"),
        verdict=words.short_verdict(content),
    )
