"""The pool against the labels in two dimensions."""

from typing import Any, NamedTuple

from numpy.typing import NDArray

from workbench.reports.chart import Axis, Chart, Dots, Role
from workbench.reports.panel import Finding, Tone
from workbench.reports.panels.coverage_rows import RegionRow
from workbench.reports.statistics.regions import Regions, regions
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words
from workbench.storage.facts.facts import Facts

#: Labeled items that are looked at; and dots of each kind that are drawn.
MOST, DRAWN = 4000, 800
#: A part of the pool that is too small to be missed.
SMALL = 0.02


class PoolAndLabels(NamedTuple):
    """A sample of the pool, labeled items, and the regions that they lie in."""

    pool_S_2: NDArray[Any]
    labeled_L_2: NDArray[Any]
    regions: Regions


def look(facts: Facts) -> PoolAndLabels | None:
    """Lay the labels over the map of the pool; None while there is no map or nothing to lay on it."""
    pool_S_2 = facts.coverage.map()
    if pool_S_2 is None or len(pool_S_2) < 2:
        return None
    labeled_L_2 = facts.coverage.labeled_places(MOST)
    return PoolAndLabels(pool_S_2, labeled_L_2, regions(pool_S_2, labeled_L_2)) if len(labeled_L_2) else None


def finding(seen: PoolAndLabels | None) -> tuple[Finding, ...]:
    """Whether labels leave parts of the pool out."""
    if seen is None:
        return ()
    cut = seen.regions
    left, random = in_words(cut.left_out, Unit.SHARE), in_words(cut.at_random, Unit.SHARE)
    most = in_words(cut.at_random_high, Unit.SHARE)
    said = (
        f"{left} of the pool lies in regions of its map that have no label; as many labels drawn at random "
        f"leave out {random}, and less than {most} in 95 of 100 draws"
    )
    missed = cut.left_out > max(cut.at_random_high, SMALL)
    return (Finding(f"{said}.", Tone.WARNING if missed else Tone.GOOD),)


def rows(seen: PoolAndLabels | None) -> list[RegionRow]:
    """One row a region, the largest part of the pool without labels first."""
    if seen is None:
        return []
    cut, total = seen.regions, len(seen.labeled_L_2)
    xs, ys = [None, *cut.x_edges.tolist(), None], [None, *cut.y_edges.tolist(), None]
    found = [
        RegionRow(
            x_from=xs[column],
            x_to=xs[column + 1],
            y_from=ys[row],
            y_to=ys[row + 1],
            pool_share=float(cut.pool_X_Y[column, row]),
            labels=int(cut.labels_X_Y[column, row]),
            labels_share=float(cut.labels_X_Y[column, row] / total),
        )
        for column in range(len(xs) - 1)
        for row in range(len(ys) - 1)
        if cut.pool_X_Y[column, row] or cut.labels_X_Y[column, row]
    ]
    return sorted(found, key=lambda row: (row.labels > 0, (row.labels_share or 0.0) - row.pool_share))


def chart(seen: PoolAndLabels | None) -> tuple[Chart, ...]:
    """Labels on the map of the pool."""
    if seen is None:
        return ()
    pool, labeled = _some(seen.pool_S_2), _some(seen.labeled_L_2)
    return (
        Chart(
            name="coverage_map",
            title="The pool and the labels, in two dimensions",
            summary=f"{count(len(pool), 'item')} of the pool and {count(len(labeled), 'labeled item')} in "
            "the two directions in which the pool differs most; "
            f"{in_words(seen.regions.left_out, Unit.SHARE)} of the pool lies in regions without a label.",
            x=Axis(title="first direction"),
            y=Axis(title="second direction"),
            marks=(
                _dots("the pool", pool, Role.NEUTRAL, 3.0),
                _dots("labeled", labeled, Role.ACTIVE, 5.0),
            ),
        ),
    )


def _some(points_N_2: NDArray[Any]) -> NDArray[Any]:
    return points_N_2[:: -(-len(points_N_2) // DRAWN)]


def _dots(name: str, points_N_2: NDArray[Any], role: Role, size: float) -> Dots:
    # Three digits are finer than any screen, and many dots make a long page.
    shown = points_N_2.astype(float).round(3)
    return Dots(name=name, x=shown[:, 0].tolist(), y=shown[:, 1].tolist(), role=role, size=size)
