"""How a batch is drawn."""

from collections.abc import Sequence

from workbench.domain.records import Reason, Selection
from workbench.reports.chart import Axis, Bars, Chart, Dots, Guide, Line, Role
from workbench.reports.panels.batch_rounds import CALLED
from workbench.reports.panels.batch_rows import OrderRow, RoundRow
from workbench.reports.panels.batch_words import stages
from workbench.reports.units import Unit
from workbench.reports.words import in_words
from workbench.storage.facts.rounds import ALIKE

ROLES = {Reason.UNCERTAIN: Role.ACTIVE, Reason.CONTROL: Role.RANDOM}
#: Points of a scatter at most: more are a cloud anyway.
POINTS = 400


def scores(number: int, picks: Sequence[Selection], size: int) -> tuple[Chart, ...]:
    """The two parts of each pick's uncertainty."""
    scored = [
        pick for pick in picks if pick.mutual_information is not None and pick.expected_entropy is not None
    ]
    if not scored:
        return ()
    mean = sum(pick.mutual_information or 0.0 for pick in scored) / len(scored)
    return (
        Chart(
            name="batch_scores",
            title="Why: what networks disagree about, and what is noise",
            summary=f"The picks of round {number} have {in_words(mean, Unit.NATS)} of mutual information on "
            "average; the higher a dot, the more a label settles, the further right, the noisier the item.",
            x=Axis(title="mean entropy: noise that stays", unit=Unit.NATS, low=0.0),
            y=Axis(title="mutual information: what labels settle", unit=Unit.NATS, low=0.0),
            marks=tuple(_of_reason(reason, scored) for reason in Reason if _with(reason, scored)),
            notes=_shown(len(picks), size),
        ),
    )


def redundancy(number: int, picks: Sequence[Selection], size: int) -> tuple[Chart, ...]:
    """How alike each pick is to the most similar one before it."""
    compared = [pick for pick in picks if pick.redundancy is not None]
    if not compared:
        return ()
    alike = sum((pick.redundancy or 0.0) >= ALIKE for pick in compared)
    return (
        Chart(
            name="batch_redundancy",
            title="Redundancy: is it like one picked before?",
            summary=f"{alike} of {len(compared)} picks of round {number} have a cosine similarity of "
            f"{in_words(ALIKE, Unit.NUMBER)} or more to one that was picked before them.",
            x=Axis(title="rank", unit=Unit.COUNT, low=0),
            y=Axis(title="cosine similarity to the nearest pick before", high=1.0),
            marks=(
                Dots(
                    name="picks",
                    x=[pick.rank + 1 for pick in compared],
                    y=[pick.redundancy or 0.0 for pick in compared],
                    words=[pick.item_key for pick in compared],
                    role=Role.ACTIVE,
                ),
            ),
            guides=(Guide(words="all but copies", y=ALIKE, role=Role.BAD),),
            notes=_shown(len(picks), size),
        ),
    )


def order(ranks: Sequence[int], row: OrderRow | None) -> tuple[Chart, ...]:
    """The place at which each item was answered against the one that was intended for it."""
    if row is None or len(ranks) < 2:
        return ()
    places = {rank: place for place, rank in enumerate(sorted(ranks), start=1)}
    points = [(places[rank], place) for place, rank in enumerate(ranks, start=1)]
    shown = points[:: -(-len(points) // POINTS)]
    return (
        Chart(
            name="batch_order",
            title="Intended and real order",
            summary=f"{row.out_of_place} of {row.answered} answered items of round {row.round} "
            "were out of place.",
            x=Axis(title="intended place", unit=Unit.COUNT, low=0),
            y=Axis(title="real place", unit=Unit.COUNT, low=0),
            marks=(
                Line(
                    name="as intended",
                    x=[1, len(points)],
                    y=[1, len(points)],
                    role=Role.NEUTRAL,
                    dashed=True,
                    marked=False,
                ),
                Dots(name="items", x=[x for x, _ in shown], y=[y for _, y in shown], role=Role.ACTIVE),
            ),
        ),
    )


def time(rows: Sequence[RoundRow]) -> tuple[Chart, ...]:
    """Where the time of all rounds went."""
    spent = stages(rows)
    if not sum(spent.values()):
        return ()
    longest = max(spent, key=lambda stage: spent[stage])
    return (
        Chart(
            name="batch_time",
            title="Where the time of all rounds went",
            summary=f"Most went into {CALLED[longest]}: {in_words(spent[longest], Unit.SECONDS)} of "
            f"{in_words(sum(spent.values()), Unit.SECONDS)}.",
            x=Axis(title="stage"),
            y=Axis(title="time", unit=Unit.SECONDS, low=0.0),
            marks=(
                Bars(
                    name="all rounds",
                    labels=[CALLED[stage] for stage in spent],
                    values=list(spent.values()),
                    role=Role.NEUTRAL,
                ),
            ),
            across=True,
        ),
    )


def _of_reason(reason: Reason, picks: Sequence[Selection]) -> Dots:
    found = _with(reason, picks)
    return Dots(
        name=reason,
        x=[pick.expected_entropy or 0.0 for pick in found],
        y=[pick.mutual_information or 0.0 for pick in found],
        words=[pick.item_key for pick in found],
        role=ROLES.get(reason, Role.OTHER),
    )


def _with(reason: Reason, picks: Sequence[Selection]) -> list[Selection]:
    return [pick for pick in picks if pick.reason is reason]


def _shown(shown: int, size: int) -> tuple[str, ...]:
    return (f"The {shown} most wanted of {size} picks.",) if shown < size else ()
