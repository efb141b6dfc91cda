"""How coverage is drawn."""

from collections.abc import Sequence

from workbench.reports.chart import Axis, Bars, Chart, Guide, Role
from workbench.reports.panels.coverage_rows import Row
from workbench.reports.panels.coverage_words import BELOW
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words


def recalls(rows: Sequence[Row], floor: float | None) -> tuple[Chart, ...]:
    """Recall of every class against the floor, worst first; nothing where none is known."""
    known = [row for row in rows if row.recall is not None]
    if not known:
        return ()
    below = sum(row.below_floor == BELOW for row in known)
    against = (
        f"; {below} surely below the floor of {in_words(floor, Unit.SHARE)}" if floor is not None else ""
    )
    return (
        Chart(
            name="coverage_recall",
            title="Recall by class, worst first",
            summary=f"Recall of {count(len(known), 'class', 'classes')} from '{known[0].label}' with "
            f"{in_words(known[0].recall, Unit.SHARE)} to '{known[-1].label}' with "
            f"{in_words(known[-1].recall, Unit.SHARE)}{against}.",
            x=Axis(title="class"),
            y=Axis(title="recall", unit=Unit.SHARE, low=0.0, high=1.0),
            marks=(
                Bars(
                    name="recall",
                    labels=[row.label for row in known],
                    values=[row.recall for row in known],
                    low=[row.recall_low for row in known],
                    high=[row.recall_high for row in known],
                    role=Role.ACTIVE,
                ),
            ),
            guides=() if floor is None else (Guide(words="floor", y=floor, role=Role.TARGET),),
            across=True,
        ),
    )


def labels(rows: Sequence[Row]) -> tuple[Chart, ...]:
    """Which part of the labels each class has, beside the part of the pool that it is taken for."""
    if not any(row.labels for row in rows):
        return ()
    ordered = sorted(rows, key=lambda row: row.labels)
    least, most = ordered[0], ordered[-1]
    shares = Bars(
        name="of the labels", labels=[row.label for row in ordered], values=[row.share for row in ordered]
    )
    of_pool = Bars(
        name="of the pool, as the model sees it",
        labels=[row.label for row in ordered],
        values=[row.pool_share for row in ordered],
        role=Role.NEUTRAL,
    )
    seen = any(row.pool_share is not None for row in rows)
    return (
        Chart(
            name="coverage_labels",
            title="Labels by class, fewest first",
            summary=f"'{least.label}' has {count(least.labels, 'label')}, '{most.label}' has {most.labels}.",
            x=Axis(title="class"),
            y=Axis(title="share", unit=Unit.SHARE, low=0.0),
            marks=(shares, of_pool) if seen else (shares,),
            across=True,
        ),
    )
