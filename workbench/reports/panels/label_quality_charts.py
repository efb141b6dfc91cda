"""How the quality of labels is drawn."""

from collections.abc import Sequence

from workbench.reports.chart import Axis, Bars, Chart, Line, Role
from workbench.reports.panels.label_quality_rows import ConfidenceRow, CorrectionRow, DifficultyRow
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words


def confidence(rows: Sequence[ConfidenceRow]) -> tuple[Chart, ...]:
    """How sure the agreed labels are."""
    if not rows:
        return ()
    full, everything = rows[-1], count(sum(row.labels for row in rows), "label")
    return (
        Chart(
            name="label_quality_confidence",
            title="How sure the agreed labels are",
            summary=f"{in_words(full.share, Unit.SHARE)} of {everything} have full confidence; "
            f"{count(rows[0].labels, 'label')} less than one half.",
            x=Axis(title="confidence", unit=Unit.TEXT),
            y=Axis(title="labels", unit=Unit.COUNT, low=0.0),
            marks=(
                Bars(
                    name="labels",
                    labels=[_between(row.above, row.below) for row in rows],
                    values=[float(row.labels) for row in rows],
                    role=Role.ACTIVE,
                ),
            ),
        ),
    )


def difficulty(rows: Sequence[DifficultyRow]) -> tuple[Chart, ...]:
    """How often people differ, by how sure the model was."""
    some = [row for row in rows if row.n]
    if len(some) < 2:
        return ()
    hard, easy = (in_words(row.share, Unit.SHARE, n=row.n) for row in (some[0], some[-1]))
    return (
        Chart(
            name="label_quality_difficulty",
            title="How often people differ, by how sure the model was when it chose the item",
            summary=f"People differ on {hard} of the items of which the model was least sure, and on {easy} "
            "of those of which it was surest.",
            x=Axis(title="the model's confidence", unit=Unit.TEXT),
            y=Axis(title="shared items with different answers", unit=Unit.SHARE, low=0.0),
            marks=(
                Bars(
                    name="differ",
                    labels=[_between(row.above, row.below) for row in some],
                    values=[row.share for row in some],
                    low=[row.low for row in some],
                    high=[row.high for row in some],
                    role=Role.ACTIVE,
                ),
            ),
        ),
    )


def corrections(rows: Sequence[CorrectionRow]) -> tuple[Chart, ...]:
    """How many labels were corrected when."""
    if len(rows) < 2:
        return ()
    most = max(rows, key=lambda row: row.corrected)
    return (
        Chart(
            name="label_quality_corrections",
            title="Labels that came to say something else",
            summary=f"{count(sum(row.corrected for row in rows), 'correction')} over "
            f"{count(len(rows), 'window')} of time, most in one: {most.corrected}.",
            x=Axis(title="window begins", unit=Unit.TIME),
            y=Axis(title="corrected labels", unit=Unit.COUNT, low=0.0),
            marks=(
                Line(
                    name="corrected",
                    x=[row.since.timestamp() for row in rows],
                    y=[float(row.corrected) for row in rows],
                    role=Role.ACTIVE,
                ),
            ),
        ),
    )


def _between(above: float, below: float | None) -> str:
    first = round(above * 100)
    return f"{first} %" if below is None else f"{first} to {round(below * 100)} %"
