"""Which project, or which strategy, got more out of its labels? All projects of a database on one page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.panels.comparison_charts import LEVEL, charts_of, named
from workbench.reports.panels.contenders import (
    MOST,
    OTHER_CLASSES,
    OTHER_ITEMS,
    Contender,
    Group,
    contenders,
    groups_of,
)
from workbench.reports.statistics.curves import Curve
from workbench.reports.statistics.savings import (
    Estimate,
    Shared,
    area_difference,
    area_difference_of_runs,
    area_of,
)
from workbench.reports.statistics.seeds import mean_interval
from workbench.reports.units import Count, Money, Points, Seconds, Share, Unit
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.facts import Facts

NONE = Estimate(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """One project beside the others."""

    project: str
    strategy: str
    seed: str
    labels: Count
    accuracy: Share | None
    accuracy_low: Share | None
    accuracy_high: Share | None
    cost: Money
    currency: str
    seconds: Seconds
    mean_accuracy: Share | None
    mean_accuracy_low: Share | None
    mean_accuracy_high: Share | None
    difference: Points | None
    difference_low: Points | None
    difference_high: Points | None
    #: The same difference with the luck of batches and training in its interval.
    with_luck_low: Points | None
    with_luck_high: Points | None
    comparable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyRow:
    """Several seeds of one strategy taken together."""

    strategy: str
    projects: Count
    mean_accuracy: Share
    mean_accuracy_low: Share | None
    mean_accuracy_high: Share | None
    paired_seeds: Count
    difference: Points | None
    difference_low: Points | None
    difference_high: Points | None
    wins: Count


class Comparison:
    """Projects of one database, and strategies with several seeds, beside each other."""

    name = "comparison"
    title = "Comparison"
    sentence = "How projects and strategies compare over the labels that all of them have."

    def read(self, facts: Facts, view: View) -> Reading:
        """Compare the project with those that the view names, else with all of its database."""
        compared = contenders(facts, view.compare)
        curves = _curves(compared) if len(compared) > 1 else {}
        over = _shared([curve for curve in curves.values() if curve is not None])
        rows = [_row(one, compared[0], curves, over) for one in compared]
        groups = groups_of(compared, curves)
        strategies = _strategies(groups, over) if over else []
        return Reading(
            findings=tuple(_findings(rows, strategies, over)),
            tables=(
                Table(name="comparison", title="Projects", row=ProjectRow, rows=rows),
                Table(
                    name="comparison_strategies",
                    title="Strategies with several seeds",
                    row=StrategyRow,
                    rows=strategies,
                    empty="No two projects differ in name and seed alone.",
                ),
            ),
            charts=charts_of(compared, groups, curves, _ends(rows)),
        )


def _curves(compared: Sequence[Contender]) -> dict[int, Curve | None]:
    """The curves of those that may be compared at all: the same classes."""
    alike = [one for one in compared if one.against(compared[0]) != OTHER_CLASSES]
    return {one.project.id: one.curve for one in alike}


def _shared(curves: Sequence[Curve]) -> Shared | None:
    """The range of labels that all curves cover."""
    if len(curves) < 2 or min(len(curve.labels_R) for curve in curves) < 2:
        return None
    low = max(float(curve.labels_R[0]) for curve in curves)
    high = min(float(curve.labels_R[-1]) for curve in curves)
    return Shared(low, high) if low < high else None


def _row(
    one: Contender, first: Contender, curves: dict[int, Curve | None], over: Shared | None
) -> ProjectRow:
    last, curve = (one.points[-1] if one.points else None), curves.get(one.project.id)
    area = _area(curve, over)
    comparable = one.against(first)
    gap = luck = NONE
    if one is not first and over and comparable != OTHER_CLASSES:
        gap = _gap(curve, curves.get(first.project.id), over)
        luck = _with_luck(curve, curves.get(first.project.id), over)
    return ProjectRow(
        project=one.project.name,
        strategy=one.strategy,
        seed=str(one.project.seed),
        labels=last.labels if last else 0,
        accuracy=last.value if last else None,
        accuracy_low=last.low if last else None,
        accuracy_high=last.high if last else None,
        cost=last.cost if last else 0.0,
        currency=one.terms.currency,
        seconds=last.seconds if last else 0.0,
        mean_accuracy=area.value,
        mean_accuracy_low=area.low,
        mean_accuracy_high=area.high,
        difference=gap.value,
        difference_low=gap.low,
        difference_high=gap.high,
        with_luck_low=luck.low,
        with_luck_high=luck.high,
        comparable=comparable,
    )


def _area(curve: Curve | None, over: Shared | None) -> Estimate:
    if curve is None or over is None:
        return NONE
    if len(curve.draws_B_R):
        return area_of(curve, over, LEVEL)
    return Estimate(_bare_area(curve, over), None, None)


def _gap(curve: Curve | None, first: Curve | None, over: Shared) -> Estimate:
    if curve is None or first is None:
        return NONE
    if len(curve.draws_B_R) and len(first.draws_B_R):
        return area_difference(curve, first, over, LEVEL)
    return Estimate(_bare_area(curve, over) - _bare_area(first, over), None, None)


def _with_luck(curve: Curve | None, first: Curve | None, over: Shared) -> Estimate:
    """The difference with the luck of batches and training in its interval: one run is one run."""
    if curve is None or first is None or not len(curve.draws_B_R) or not len(first.draws_B_R):
        return NONE
    return area_difference_of_runs(curve, first, over, LEVEL)


def _bare_area(curve: Curve, over: Shared) -> float:
    """The area without draws: those of what was measured, once."""
    value = area_of(replace(curve, draws_B_R=curve.point_R[None]), over, LEVEL).value
    assert value is not None
    return value


def _strategies(groups: Sequence[Group], over: Shared) -> list[StrategyRow]:
    areas = [
        {
            one.project.seed: _bare_area(curve, over)
            for one, curve in zip(group.members, group.curves, strict=True)
        }
        for group in groups
    ]
    return [_strategy(group, own, areas[0]) for group, own in zip(groups, areas, strict=True)]


def _strategy(group: Group, own: dict[int, float], first: dict[int, float]) -> StrategyRow:
    mean, low, high = mean_interval(np.array(list(own.values())), LEVEL)
    pairs = sorted(set(own) & set(first)) if own is not first else []
    gaps_S = np.array([own[seed] - first[seed] for seed in pairs])
    several = len(pairs) > 1
    gap = [float(value) for value in mean_interval(gaps_S, LEVEL, least=-1.0)] if several else [None] * 3
    return StrategyRow(
        strategy=group.name,
        projects=len(group.members),
        mean_accuracy=float(mean),
        mean_accuracy_low=float(low),
        mean_accuracy_high=float(high),
        paired_seeds=len(pairs),
        difference=gap[0],
        difference_low=gap[1],
        difference_high=gap[2],
        wins=int((gaps_S > 0).sum()),
    )


def _findings(
    rows: Sequence[ProjectRow], strategies: Sequence[StrategyRow], over: Shared | None
) -> list[Finding]:
    if len(rows) < 2:
        words = "There is nothing to compare with: this is the only project of its database."
        return [Finding(words, Tone.UNKNOWN)]
    if over is None:
        words = "Nothing can be compared yet: no two projects of the same classes share a range of labels."
        return [Finding(words, Tone.UNKNOWN), *_cautions(rows)]
    spread = f"Over {in_words(round(over.low), Unit.COUNT)} to {count(round(over.high), 'label')}"
    found = [_about(row, spread, rows[0].project) for row in rows[1:] if row.difference is not None]
    found += [
        _about_strategy(row, strategies[0].strategy) for row in strategies[1:] if row.difference is not None
    ]
    return [*found, *_cautions(rows)]


def _about(row: ProjectRow, spread: str, first: str) -> Finding:
    gap = interval(row.difference, row.difference_low, row.difference_high, Unit.POINTS)
    words = f"{spread}, {named(row.project)} against {named(first)}: mean accuracy {gap}"
    judged = _judged(words, row.difference_low, row.difference_high)
    shown = judged.tone in (Tone.GOOD, Tone.BAD)
    if not shown or row.with_luck_low is None or row.with_luck_high is None:
        return judged
    if row.with_luck_low <= 0 <= row.with_luck_high:
        luck = interval(row.difference, row.with_luck_low, row.with_luck_high, Unit.POINTS)
        return Finding(
            f"{words} for these very models; that another run would show it is not shown: with the luck of "
            f"batches and training {luck}.",
            Tone.UNKNOWN,
        )
    return judged


def _about_strategy(row: StrategyRow, first: str) -> Finding:
    gap = interval(row.difference, row.difference_low, row.difference_high, Unit.POINTS)
    words = (
        f"{row.strategy} against {first}, paired by {count(row.paired_seeds, 'seed')}: mean accuracy {gap}"
    )
    return _judged(words, row.difference_low, row.difference_high)


def _judged(words: str, low: float | None, high: float | None) -> Finding:
    if low is None or high is None:
        return Finding(f"{words}; without held-out items there is no interval.", Tone.UNKNOWN)
    if low > 0:
        return Finding(f"{words}: it is better.", Tone.GOOD)
    if high < 0:
        return Finding(f"{words}: it is worse.", Tone.BAD)
    return Finding(f"{words}; a difference is not shown.", Tone.UNKNOWN)


def _cautions(rows: Sequence[ProjectRow]) -> list[Finding]:
    """What may not be compared, or only with care."""
    found = []
    for matter, words in (
        (OTHER_CLASSES, "Not compared, because of other classes"),
        (
            OTHER_ITEMS,
            "Not comparable item by item, because of other held-out items; their intervals are wide",
        ),
    ):
        names = [named(row.project) for row in rows if row.comparable == matter]
        if names:
            found.append(Finding(f"{words}: {', '.join(names)}.", Tone.WARNING))
    if len(rows) == MOST:
        found.append(Finding(f"No more than {MOST} projects are shown; `--compare NAME` chooses them."))
    return found


def _ends(rows: Sequence[ProjectRow]) -> str:
    """Where each project stands, in a sentence."""
    said = "; ".join(
        f"{named(row.project)} {in_words(row.accuracy, Unit.SHARE)} at {count(row.labels, 'label')}"
        for row in rows
        if row.accuracy is not None
    )
    return f"At the end: {said}."
