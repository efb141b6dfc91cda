"""What the numbers about labels mean, in sentences."""

from collections.abc import Iterator, Sequence

import numpy as np

from workbench.domain.intervals import covers_zero, difference
from workbench.reports.panel import Finding, Tone
from workbench.reports.panels.label_quality_rows import (
    RULED,
    WAITING,
    CorrectionRow,
    DifficultyRow,
    Row,
    state_of,
)
from workbench.reports.statistics.crowd import JudgedVotes, Votes
from workbench.reports.statistics.noise import Noise, as_by_chance, from_difference, from_known
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.labels import Ruling

#: Fewer known answers or shared items than this are not estimated from.
LEAST = 20
MODELS = ("dawid_skene", "mace")


def noise(votes: Votes, judged: JudgedVotes, classes: int) -> Iterator[Finding]:
    """How many answers are wrong, where anything shows it."""
    gold = int(judged.gold_J.sum())
    if gold >= LEAST:
        wrong = gold - int(judged.right_J[judged.gold_J].sum())
        words = f"judged by {count(gold, 'answer')} to gold items"
        yield _noise(from_known(wrong, gold), words)
        return
    shared = int((votes.sizes_U > 1).sum())
    if shared >= LEAST and classes > 1:
        words = (
            f"judged by how often people differ on {count(shared, 'shared item')}, if they err independently"
        )
        often = differing(votes)
        if as_by_chance(often, shared, classes):
            yield Finding(
                f"How many answers are wrong is not shown: people may differ as often as if they guessed, on "
                f"{in_words(often / shared, Unit.SHARE)} of {count(shared, 'shared item')}. Gold items would "
                "tell ([annotators] gold_share).",
                Tone.UNKNOWN,
            )
            return
        yield _noise(from_difference(often, shared, classes), words)
        return
    yield Finding(
        f"How many answers are wrong is not shown: {count(gold, 'answer')} to gold items and "
        f"{count(shared, 'shared item')}, at least {LEAST} of either are needed. Mix in gold items "
        "([annotators] gold_share) or let people share items ([labeler] overlap).",
        Tone.UNKNOWN,
    )


def differing(votes: Votes) -> float:
    """On how many shared items two people differ; of several pairs the part that does."""
    sizes_U = votes.sizes_U
    _, same = np.unique(votes.units_V * max(1, len(votes.labels)) + votes.labels_V, return_counts=True)
    units_E = np.unique(votes.units_V * max(1, len(votes.labels)) + votes.labels_V) // max(
        1, len(votes.labels)
    )
    agreeing_U = np.bincount(units_E, same * (same - 1), len(sizes_U))
    shared = sizes_U > 1
    pairs_U = (sizes_U * (sizes_U - 1))[shared]
    return float((1 - agreeing_U[shared] / pairs_U).sum())


def labels(rows: Sequence[Row]) -> Iterator[Finding]:
    """How many labels there are, and how many of them are expected to be wrong."""
    agreed, conflicts = sum(row.agreed for row in rows), sum(row.conflicts for row in rows)
    words = f"{count(agreed, 'agreed label')}, {count(conflicts, 'conflict')}"
    yield Finding(f"{words}.", Tone.WARNING if conflicts else Tone.NEUTRAL)
    for row in rows:
        if row.method in MODELS and row.agreed:
            yield Finding(
                f"Of {count(row.agreed, 'label')} by {row.method} {in_words(row.doubts, Unit.NUMBER)} are "
                f"expected to be wrong: the mean confidence is {in_words(row.confidence, Unit.SHARE)}."
            )


def queue(found: Sequence[Ruling]) -> Iterator[Finding]:
    """What waits for a ruling."""
    states = [state_of(one) for one in found]
    if not states:
        return
    waiting, ruled = states.count(WAITING), states.count(RULED)
    tone = Tone.WARNING if waiting else Tone.GOOD
    waits = "waits" if waiting == 1 else "wait"
    yield Finding(
        f"In the adjudication queue {count(waiting, 'item')} {waits} for a ruling; {ruled} were ruled on.",
        tone,
    )


def difficulty(rows: Sequence[DifficultyRow]) -> Iterator[Finding]:
    """Whether people differ more on what the model finds hard."""
    some = [row for row in rows if row.n]
    if len(some) < 2:
        return
    hard, easy = some[0], some[-1]
    gap = difference(hard.differ, hard.n, easy.differ, easy.n)
    said = f"{_differ(hard)} on items of which the model was least sure, {_differ(easy)} where it was surest"
    if covers_zero(gap):
        yield Finding(f"That people differ more on hard items is not shown: {said}.", Tone.UNKNOWN)
        return
    verb = "more" if gap.low > 0 else "less"
    yield Finding(f"People differ {verb} on items that the model finds hard: {said}.")


def corrections(rows: Sequence[CorrectionRow]) -> Iterator[Finding]:
    """How often labels came to say something else."""
    if rows:
        yield Finding(
            f"{count(sum(row.corrected for row in rows), 'time')} a label came to say something else."
        )


def _noise(found: Noise, words: str) -> Finding:
    share = interval(found.value, found.low, found.high, Unit.SHARE, n=found.n)
    return Finding(f"About {share} of single answers are wrong, {words}.")


def _differ(row: DifficultyRow) -> str:
    return f"{interval(row.share, row.low, row.high, Unit.SHARE, n=row.n)} of {count(row.n, 'item')}"
