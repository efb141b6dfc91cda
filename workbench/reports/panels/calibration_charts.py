"""How calibration is drawn."""

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.reports.chart import Axis, Bars, Chart, Dots, Guide, Line, Role
from workbench.reports.panels.calibration_words import AGREEMENT, agreement_ends, bins, perfect_risk
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words
from workbench.storage.facts.diagnostics import Diagnostic


def of_newest(content: Mapping[str, Any] | None) -> tuple[Chart, ...]:
    """The charts of the newest model; none where nothing was measured."""
    if content is None:
        return ()
    return reliability(content), counts(content), risk(content)


def reliability(content: Mapping[str, Any]) -> Chart:
    """Accuracy against confidence, with what a perfect model would show at these counts."""
    found = bins(content)
    outside = [one for one in found if not one.perfect_low <= one.accuracy <= one.perfect_high]
    confidences = [one.confidence for one in found]
    return Chart(
        name="calibration_reliability",
        title="Reliability: right as often as it says?",
        summary=f"Of {count(len(found), 'bin')} of confidence {len(outside)} lie outside of what a perfectly "
        f"calibrated model shows at their counts; {count(content['n'], 'held-out item')} in all, mean "
        f"confidence {in_words(content['confidence'], Unit.SHARE)}, accuracy "
        f"{in_words(content['accuracy'], Unit.SHARE)}.",
        x=Axis(title="confidence", unit=Unit.SHARE, low=0.0, high=1.0),
        y=Axis(title="accuracy", unit=Unit.SHARE, low=0.0, high=1.0),
        marks=(
            Line(
                name="a perfectly calibrated model, 95 %",
                x=confidences,
                y=confidences,
                low=[one.perfect_low for one in found],
                high=[one.perfect_high for one in found],
                role=Role.NEUTRAL,
                dashed=True,
                marked=False,
            ),
            Dots(
                name="this model",
                x=confidences,
                y=[one.accuracy for one in found],
                low=[one.accuracy_low for one in found],
                high=[one.accuracy_high for one in found],
                words=[count(one.n, "item") for one in found],
                role=Role.ACTIVE,
            ),
        ),
    )


def counts(content: Mapping[str, Any]) -> Chart:
    """How many items lie in each bin of the reliability diagram."""
    found = bins(content)
    largest = max(found, key=lambda one: one.n)
    labels = [f"{one.confidence_from * 100:.0f}–{one.confidence_to * 100:.0f} %" for one in found]
    return Chart(
        name="calibration_counts",
        title="How sure it is: items by confidence",
        summary=f"{largest.n} of {count(content['n'], 'held-out item')} have a confidence of "
        f"{largest.confidence_from * 100:.0f} to {largest.confidence_to * 100:.0f} %.",
        x=Axis(title="confidence"),
        y=Axis(title="held-out items", unit=Unit.COUNT, low=0),
        marks=(Bars(name="items", labels=labels, values=[one.n for one in found], role=Role.ACTIVE),),
    )


def risk(content: Mapping[str, Any]) -> Chart:
    """The error rate among the surest items."""
    points: Sequence[tuple[float, float]] = content["risk"]
    coverages = [coverage for coverage, _ in points]
    half = min(points, key=lambda point: abs(point[0] - 0.5))
    overall = content["wrong"] / content["n"]
    return Chart(
        name="calibration_risk_coverage",
        title="Errors among the surest items",
        summary=f"Of all held-out items {in_words(overall, Unit.SHARE)} are wrong, of the surest half "
        f"{in_words(half[1], Unit.SHARE)}; the area under the curve is "
        f"{in_words(content['aurc']['value'], Unit.NUMBER)}, that of a perfect order "
        f"{in_words(content['aurc']['best'], Unit.NUMBER)}.",
        x=Axis(title="coverage: share of items kept, surest first", unit=Unit.SHARE, low=0.0, high=1.0),
        y=Axis(title="share that is wrong", unit=Unit.SHARE, low=0.0),
        marks=(
            Line(
                name="this model",
                x=coverages,
                y=[risk for _, risk in points],
                role=Role.ACTIVE,
                marked=False,
            ),
            Line(
                name="a perfect order",
                x=coverages,
                y=[perfect_risk(coverage, content) for coverage in coverages],
                role=Role.NEUTRAL,
                dashed=True,
                marked=False,
            ),
        ),
        guides=(Guide(words="no order at all", y=overall, role=Role.NEUTRAL),),
    )


def convergence(content: Mapping[str, Any] | None) -> tuple[Chart, ...]:
    """How well two draws agree as samples are added; nothing where nobody has looked."""
    if content is None:
        return ()
    rows, ends = content["rows"], agreement_ends(content)
    last = rows[-1]
    drawn = Line(
        name="two draws share",
        x=[row["n_samples"] for row in rows],
        y=[row["overlap"] for row in rows],
        low=[low for low, _ in ends],
        high=[high for _, high in ends],
        role=Role.ACTIVE,
    )
    return (
        Chart(
            name="calibration_convergence",
            title="How many posterior samples are enough",
            summary=f"Two draws of {rows[0]['n_samples']} samples share "
            f"{in_words(rows[0]['overlap'], Unit.SHARE)} of the {content['top']} most wanted items, two of "
            f"{last['n_samples']} share {in_words(last['overlap'], Unit.SHARE)}; "
            f"{content['used']} samples are in use.",
            x=Axis(title="posterior samples T", unit=Unit.COUNT, log=True),
            y=Axis(title="agreement of two draws", unit=Unit.SHARE, low=0.0, high=1.0),
            marks=(drawn,),
            guides=(
                Guide(words="enough", y=AGREEMENT, role=Role.TARGET),
                Guide(words="in use", x=content["used"], role=Role.NEUTRAL),
            ),
        ),
    )


def by_round(history: Sequence[Diagnostic]) -> tuple[Chart, ...]:
    """The calibration error against its floor, round by round; nothing of a single round."""
    if len(history) < 2:
        return ()
    errors = [found.content["ece_equal_mass"] for found in history]
    rounds = [found.round_number or 0 for found in history]
    above = sum(error["p"] is not None and error["p"] <= 0.05 for error in errors)
    return (
        Chart(
            name="calibration_rounds",
            title="Calibration error, round by round",
            summary=f"In {above} of {count(len(history), 'round')} the calibration error is above what a "
            f"perfectly calibrated model shows; in the newest it is "
            f"{in_words(errors[-1]['value'], Unit.SHARE)}.",
            x=Axis(title="round", unit=Unit.ROUND),
            y=Axis(title="calibration error (equal mass)", unit=Unit.SHARE, low=0.0),
            marks=(
                Line(name="this model", x=rounds, y=[error["value"] for error in errors], role=Role.ACTIVE),
                Line(
                    name="95 % of perfect models stay below",
                    x=rounds,
                    y=[error["floor_high"] for error in errors],
                    role=Role.NEUTRAL,
                    dashed=True,
                    marked=False,
                ),
            ),
        ),
    )
