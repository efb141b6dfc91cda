"""What a batch shows, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from workbench.domain.records import Reason
from workbench.reports.panel import Finding, Tone
from workbench.reports.panels.batch_rounds import CALLED
from workbench.reports.panels.batch_rows import OrderRow, RoundRow
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.rounds import ALIKE, RoundThen, ScoreMeans

MEANING = {
    Reason.UNCERTAIN: "The acquisition function wanted it.",
    Reason.COVERAGE: "It stands for a region of the pool: there was no model yet.",
    Reason.CONTROL: "Drawn at random, for an unbiased view of the pool.",
    Reason.RELABEL: "Labeled already, and in doubt.",
    Reason.GOLD: "Its label is known: it measures the annotators.",
}
BECAUSE = {
    Reason.UNCERTAIN: "because the model was uncertain",
    Reason.COVERAGE: "to cover the pool",
    Reason.CONTROL: "at random",
    Reason.RELABEL: "for one more opinion",
    Reason.GOLD: "to measure the annotators",
}
#: Fewer items out of place than this share, and the order was kept.
KEPT = 0.05
#: A batch with more near-copies than this share is said to be redundant.
REDUNDANT = 0.1


def nothing(number: int | None, *, there: bool) -> Finding:
    """Why there is no batch to show."""
    if number is not None and not there:
        return Finding(f"There is no round {number}.", Tone.UNKNOWN)
    if not there:
        return Finding("There is no round yet: type `workbench round ask` to start one.", Tone.UNKNOWN)
    return Finding("The round has not chosen its batch yet.", Tone.UNKNOWN)


def picked(one: RoundThen, means: Mapping[Reason, ScoreMeans]) -> Finding:
    """How many were picked, and why."""
    size = sum(mean.n for mean in means.values())
    parts = [f"{mean.n} {BECAUSE[reason]}" for reason, mean in sorted(means.items(), key=lambda m: -m[1].n)]
    pool = f" of {in_words(one.pool_size, Unit.COUNT)}" if one.pool_size else ""
    by = f" by {one.strategy}" if one.strategy else ""
    return Finding(f"Round {one.number} chose {count(size, 'item')}{pool}{by}: {', '.join(parts)}.")


def scores(means: Mapping[Reason, ScoreMeans]) -> Iterator[Finding]:
    """What the model said of those it wanted, against those that were drawn at random."""
    wanted, random = means.get(Reason.UNCERTAIN), means.get(Reason.CONTROL)
    if wanted is None or wanted.mutual_information is None:
        return
    own = (
        f"What was wanted has {in_words(wanted.mutual_information, Unit.NATS)} of mutual information on "
        f"average (what labels can settle) in {in_words(wanted.entropy, Unit.NATS)} of uncertainty"
    )
    if random is None or random.mutual_information is None:
        yield Finding(f"{own}.")
    else:
        yield Finding(f"{own}; the random picks have {in_words(random.mutual_information, Unit.NATS)}.")


def redundancy(means: Mapping[Reason, ScoreMeans]) -> Iterator[Finding]:
    """How much of the batch says the same."""
    compared = sum(mean.compared for mean in means.values())
    if not compared:
        return
    alike = sum(mean.alike for mean in means.values())
    mean = sum((found.redundancy or 0.0) * found.compared for found in means.values()) / compared
    near = in_words(ALIKE, Unit.NUMBER)
    tone = Tone.WARNING if alike > REDUNDANT * compared else Tone.GOOD
    yield Finding(
        f"{alike} of {count(compared, 'item')} are all but copies of an item chosen before (cosine "
        f"similarity of {near} or more); on average the nearest one has {in_words(mean, Unit.NUMBER)}.",
        tone,
    )


def order(row: OrderRow | None) -> Finding:
    """Whether annotators got the items in the intended order."""
    if row is None:
        return Finding("Nobody has answered yet, so nothing is known of the order.", Tone.UNKNOWN)
    if row.correlation is None:
        return Finding(
            f"{count(row.answered, 'item')} of {row.n} answered: too few, or all at once, to see an order.",
            Tone.UNKNOWN,
        )
    numbers = interval(row.correlation, row.correlation_low, row.correlation_high, Unit.NUMBER)
    moved = f"{row.out_of_place} of {count(row.answered, 'answered item')} would have to move"
    if row.out_of_place <= KEPT * row.answered:
        return Finding(
            f"Items were answered in the intended order: {moved}, rank correlation {numbers}.", Tone.GOOD
        )
    if row.correlation_low is not None and row.correlation_low > 0:
        return Finding(
            f"Items were answered roughly in the intended order: {moved}, rank correlation {numbers}."
        )
    return Finding(
        f"Items were not answered in the intended order: {moved}, rank correlation {numbers}.", Tone.WARNING
    )


def of_time(rows: Sequence[RoundRow]) -> Iterator[Finding]:
    """Where the time of all rounds went."""
    spent = stages(rows)
    total = sum(spent.values())
    if not total:
        return
    longest = max(spent, key=lambda stage: spent[stage])
    numbers = f"{in_words(spent[longest] / total, Unit.SHARE)} of {in_words(total, Unit.SECONDS)}"
    waiting = f", {CALLED['labeling']} {in_words(spent['labeling'], Unit.SECONDS)}"
    yield Finding(
        f"Most of the rounds' time went into {CALLED[longest]}: {numbers}"
        f"{waiting if longest != 'labeling' else ''}."
    )


def stages(rows: Sequence[RoundRow]) -> dict[str, float]:
    """Seconds of all rounds in each stage."""
    return {stage: sum(getattr(row, f"{stage}_seconds") for row in rows) for stage in CALLED}
