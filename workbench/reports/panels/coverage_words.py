"""What coverage means, in sentences."""

from collections.abc import Iterator, Sequence

from workbench.reports.panel import Finding, Tone
from workbench.reports.panels.coverage_rows import Row, SourceRow
from workbench.reports.statistics.classes import Measured
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval, plain
from workbench.storage.facts.facts import Facts

BELOW, PERHAPS, ABOVE, UNKNOWN = "yes", "perhaps", "no", "unknown"
#: Names in one sentence.
MOST_NAMES = 5
#: A source with less than this part of the labels that its size would bring is named, if those are some.
UNDER, SOME = 0.5, 10


def standing(recall: Measured | None, floor: float | None) -> str:
    """Whether a recall is below the floor: surely where its whole interval is."""
    if recall is None or floor is None:
        return UNKNOWN
    if recall.high < floor:
        return BELOW
    return PERHAPS if recall.value < floor else ABOVE


def predicted_in_pool(facts: Facts) -> dict[str, float]:
    """The share of the pool that the newest model takes for each class; empty where it was never scored."""
    found = facts.diagnostics.newest("convergence")
    counts = found.content.get("predicted", []) if found else []
    total = sum(counts)
    if not total or len(counts) != len(facts.project.classes):
        return {}
    return {name: n / total for name, n in zip(facts.project.classes, counts, strict=True)}


def of_classes(rows: Sequence[Row], floor: float | None, missing: str | None) -> Iterator[Finding]:
    """Which classes lack labels; ``missing`` is why recalls are not known, if they are not."""
    if missing is not None:
        yield Finding(f"Which class lacks labels is not shown: {missing}.", Tone.UNKNOWN)
    elif floor is not None:
        yield from _lacking(rows, floor)
    else:
        yield Finding(
            f"No floor is set ([report] class_floor); the least recall: {_recalls(rows[:1])}.", Tone.NEUTRAL
        )
    if unlabeled := [row.label for row in rows if not row.labels]:
        yield Finding(
            f"No label yet of {count(len(unlabeled), 'class', 'classes')}: {_names(unlabeled)}.", Tone.BAD
        )
    blind = [row.label for row in rows if not row.n]
    if blind and len(blind) < len(rows):
        yield Finding(
            f"No held-out item of {count(len(blind), 'class', 'classes')}, so nothing is known of their "
            f"recall: {_names(blind)}.",
            Tone.UNKNOWN,
        )


def of_sources(rows: Sequence[SourceRow]) -> Iterator[Finding]:
    """Which sources have far fewer labels than their size would bring."""
    labels = sum(row.labels for row in rows)
    lean = [
        row
        for row in rows
        if row.labels_share is not None
        and row.labels_share < UNDER * row.items_share
        and labels * row.items_share >= SOME
    ]
    if lean:
        least = min(lean, key=lambda row: (row.labels_share or 0.0) / row.items_share)
        yield Finding(
            f"{count(len(lean), 'source')} of {len(rows)} got less than half of the labels that their size "
            f"would bring; least of all '{plain(least.source)}', with "
            f"{in_words(least.items_share, Unit.SHARE)} of the items and "
            f"{in_words(least.labels_share, Unit.SHARE)} of the labels.",
            Tone.WARNING,
        )


def _lacking(rows: Sequence[Row], floor: float) -> Iterator[Finding]:
    lacking = [row for row in rows if row.below_floor == BELOW]
    unsure = [row for row in rows if row.below_floor == PERHAPS]
    wanted = in_words(floor, Unit.SHARE)
    if lacking:
        yield _surely(lacking, rows, wanted)
        if unsure:
            yield Finding(
                f"Perhaps below the floor as well, the intervals do not decide: {_recalls(unsure)}.",
                Tone.WARNING,
            )
    elif unsure:
        yield Finding(
            f"No class surely lacks labels, perhaps {_recalls(unsure)}: the floor is {wanted}, and the "
            f"{'interval does' if len(unsure) == 1 else 'intervals do'} not decide.",
            Tone.WARNING,
        )
    else:
        above = sum(row.recall_low is not None and row.recall_low >= floor for row in rows)
        yield Finding(
            f"No class is shown to lack labels: no recall is below the floor of {wanted}, and {above} of "
            f"{len(rows)} are surely above it.",
            Tone.GOOD if above == len(rows) else Tone.NEUTRAL if above else Tone.UNKNOWN,
        )


def _surely(lacking: Sequence[Row], rows: Sequence[Row], wanted: str) -> Finding:
    if len(lacking) == 1:
        row, total = lacking[0], sum(row.labels for row in rows)
        found = interval(row.recall, row.recall_low, row.recall_high, Unit.SHARE, n=row.n)
        words = (
            f"The class '{plain(row.label)}' lacks labels: its recall of {found} is below the floor of "
            f"{wanted}; it has {row.labels} of {count(total, 'label')}."
        )
    else:
        words = (
            f"{len(lacking)} of {len(rows)} classes lack labels, their recall is below the floor of "
            f"{wanted}: {_recalls(lacking)}."
        )
    return Finding(words, Tone.BAD)


def _recalls(rows: Sequence[Row]) -> str:
    return _joined([_recall(row) for row in rows[:MOST_NAMES]], len(rows))


def _recall(row: Row) -> str:
    found = interval(row.recall, row.recall_low, row.recall_high, Unit.SHARE, n=row.n)
    return f"'{plain(row.label)}' with a recall of {found}"


def _names(names: Sequence[str]) -> str:
    return _joined([f"'{plain(name)}'" for name in names[:MOST_NAMES]], len(names))


def _joined(shown: Sequence[str], total: int) -> str:
    more = [f"{total - len(shown)} more"] if total > len(shown) else []
    parts = [*shown, *more]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
