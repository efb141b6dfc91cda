"""Coverage: which classes and sources have labels, how well each is found, where labels lie in the pool."""

import numpy as np

from workbench.domain.intervals import wilson
from workbench.reports.older import NOT_KEPT, kept_nothing
from workbench.reports.panel import Reading, Table, View
from workbench.reports.panels import coverage_charts as charts
from workbench.reports.panels import coverage_map
from workbench.reports.panels import coverage_words as words
from workbench.reports.panels.coverage_rows import RegionRow, Row, SourceRow
from workbench.reports.statistics.classes import ClassScore, class_scores
from workbench.reports.unmeasured import unmeasured
from workbench.storage.facts.facts import Facts
from workbench.storage.predictions import Predictions

NO_ROWS = "There is nothing in the pool yet: type `workbench pool add`."


class Coverage:
    """Which class or source lacks labels."""

    name = "coverage"
    title = "Coverage"
    sentence = "Which class lacks labels, and do the labels lie where the pool lies?"

    def read(self, facts: Facts, view: View) -> Reading:
        """Read labels by class and source, and score the newest predictions of the held-out items."""
        newest = facts.predictions.newest()
        floor = facts.terms.now().floor
        rows = _rows(facts, newest[1] if newest else None, floor)
        seen = coverage_map.look(facts)
        missing = NOT_KEPT if kept_nothing(facts) else None if newest else unmeasured(facts)
        sources = _sources(facts, newest[1] if newest else None)
        return Reading(
            findings=(
                *words.of_classes(rows, floor, missing),
                *words.of_sources(sources),
                *coverage_map.finding(seen),
            ),
            tables=(
                Table(
                    name="coverage", title="Class by class, worst first", row=Row, rows=rows, empty=NO_ROWS
                ),
                Table(
                    name="coverage_sources",
                    title="Source by source",
                    row=SourceRow,
                    rows=sources,
                    empty=NO_ROWS,
                ),
                Table(
                    name="coverage_map",
                    title="Regions of the map of the pool",
                    row=RegionRow,
                    rows=coverage_map.rows(seen),
                    empty="There is no map yet: it is made when a round chooses its batch.",
                ),
            ),
            charts=(*charts.recalls(rows, floor), *charts.labels(rows), *coverage_map.chart(seen)),
        )


def _rows(facts: Facts, predictions: Predictions | None, floor: float | None) -> list[Row]:
    """One row a class, the least recall first; classes of which nothing is known at the end."""
    classes = facts.project.classes
    labels, seen = facts.coverage.by_class(), words.predicted_in_pool(facts)
    total = sum(labels.get(name, 0) for name in classes)
    held_out = {} if predictions is not None else facts.coverage.held_out_by_class()
    scores = _scores(predictions, len(classes))
    rows = [
        _row(name, labels.get(name, 0), total, seen.get(name), held_out.get(name, 0), score, floor)
        for name, score in zip(classes, scores, strict=True)
    ]
    return sorted(rows, key=lambda row: (row.recall is None, row.recall or 0.0))


def _scores(predictions: Predictions | None, n_classes: int) -> list[ClassScore]:
    nothing = np.zeros(0, np.int64)
    if predictions is None:
        return class_scores(nothing, nothing, n_classes)
    return class_scores(predictions.target_N, predictions.predicted_N, n_classes)


def _row(
    name: str,
    labels: int,
    total: int,
    pool_share: float | None,
    held_out: int,
    score: ClassScore,
    floor: float | None,
) -> Row:
    recall, precision, f1 = score.recall, score.precision, score.f1
    return Row(
        label=name,
        labels=labels,
        share=labels / total if total else None,
        pool_share=pool_share,
        n=score.held_out or held_out,
        recall=recall.value if recall else None,
        recall_low=recall.low if recall else None,
        recall_high=recall.high if recall else None,
        precision=precision.value if precision else None,
        precision_low=precision.low if precision else None,
        precision_high=precision.high if precision else None,
        f1=f1.value if f1 else None,
        f1_low=f1.low if f1 else None,
        f1_high=f1.high if f1 else None,
        below_floor=words.standing(recall, floor),
    )


def _sources(facts: Facts, predictions: Predictions | None) -> list[SourceRow]:
    found = facts.coverage.by_source()
    items, labels = sum(one.rows for one in found), sum(one.labels for one in found)
    right = _right_by_shard(facts, predictions)
    rows = []
    for one in found:
        outcomes = [right[shard] for shard in one.shards if shard in right]
        hits, n = sum(hits for hits, _ in outcomes), sum(n for _, n in outcomes)
        low, high = wilson(hits, n)
        rows.append(
            SourceRow(
                source=one.name,
                items=one.rows,
                items_share=one.rows / items if items else 0.0,
                labels=one.labels,
                labels_share=one.labels / labels if labels else None,
                n=n,
                accuracy=hits / n if n else None,
                low=low if n else None,
                high=high if n else None,
            )
        )
    return rows


def _right_by_shard(facts: Facts, predictions: Predictions | None) -> dict[int, tuple[int, int]]:
    """How many held-out items of each part of the pool were predicted rightly, and how many there are."""
    found: dict[int, tuple[int, int]] = {}
    if predictions is None:
        return found
    shards = facts.coverage.shards_of(predictions.items_N.tolist())
    for item, right in zip(predictions.items_N.tolist(), predictions.right_N.tolist(), strict=True):
        if (shard := shards.get(item)) is not None:
            hits, n = found.get(shard, (0, 0))
            found[shard] = (hits + right, n + 1)
    return found
