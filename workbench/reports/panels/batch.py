"""Batch: what a round picked and why, in which order it was answered, and where the rounds' time went."""

from collections.abc import Iterable
from datetime import datetime

from workbench.domain.records import Reason, Selection
from workbench.reports.older import as_they_stood
from workbench.reports.panel import Finding, Reading, Table, View
from workbench.reports.panels import batch_charts as charts
from workbench.reports.panels import batch_words as words
from workbench.reports.panels.batch_rounds import round_rows
from workbench.reports.panels.batch_rows import OrderRow, ReasonRow, RoundRow, Row
from workbench.reports.statistics.ranks import out_of_place, spearman
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundThen, ScoreMeans, Served

#: Items of a batch that are shown: `round show` and the export have all.
MOST = 200


class Batch:
    """What was picked and why."""

    name = "batch"
    title = "Batch"
    sentence = "What did the round pick and why, was it answered in that order, and where did the time go?"

    def read(self, facts: Facts, view: View) -> Reading:
        """Read one round's picks, the newest one's if none is named, and what all rounds came to."""
        rounds = facts.rounds.all()
        known = round_rows(facts, rounds)
        chosen, missing = _chosen(rounds, view.round)
        if chosen is None:
            return Reading(findings=(missing, *words.of_time(known)), tables=_tables([], [], [], known))
        return _read(facts, chosen, known)


def _chosen(rounds: list[RoundThen], number: int | None) -> tuple[RoundThen | None, Finding]:
    """The round that is asked for; the newest one that has chosen if none is."""
    able = [one for one in rounds if one.has_chosen and number in (None, one.number)]
    if able:
        return able[-1], Finding("")
    there = any(one.number == number for one in rounds) if number is not None else bool(rounds)
    return None, words.nothing(number, there=there)


def _read(facts: Facts, one: RoundThen, known: list[RoundRow]) -> Reading:
    picks = facts.rounds.picks(one.id, MOST)
    means = facts.rounds.score_means(one.id)
    size = sum(mean.n for mean in means.values())
    answered = facts.rounds.first_answers(one.id)
    order = _order(one, size, answered)
    ranks = [rank for rank, _ in answered]
    return Reading(
        findings=(
            words.picked(one, means),
            *as_they_stood(facts, one.number),
            *words.scores(means),
            *words.redundancy(means),
            words.order(order),
            *words.of_time(known),
        ),
        tables=_tables(
            _rows(picks, facts.rounds.served(one.id, MOST)), _reasons(means), [order] if order else [], known
        ),
        charts=(
            *charts.scores(one.number, picks, size),
            *charts.redundancy(one.number, picks, size),
            *charts.order(ranks, order),
            *charts.time(known),
        ),
    )


def _tables(
    rows: list[Row], reasons: list[ReasonRow], orders: list[OrderRow], known: list[RoundRow]
) -> tuple[Table, ...]:
    return (
        Table(
            name="batch", title=f"The picks, up to {MOST}", row=Row, rows=rows, empty="Nothing is chosen yet."
        ),
        Table(name="batch_reasons", title="Why they were picked", row=ReasonRow, rows=reasons),
        Table(name="batch_order", title="Intended and real order", row=OrderRow, rows=orders),
        Table(name="rounds", title="Rounds", row=RoundRow, rows=known),
    )


def _rows(picks: Iterable[Selection], served: dict[str, Served]) -> list[Row]:
    return [_row(pick, served.get(pick.item_key, Served(None, 0, None))) for pick in picks]


def _row(pick: Selection, served: Served) -> Row:
    return Row(
        rank=pick.rank + 1,
        item=pick.item_key,
        reason=pick.reason,
        score=pick.score,
        predictive_entropy=pick.predictive_entropy,
        expected_entropy=pick.expected_entropy,
        mutual_information=pick.mutual_information,
        predicted=pick.predicted,
        confidence=pick.confidence,
        propensity=pick.propensity,
        proposal=pick.proposal,
        neighbour=pick.neighbour,
        neighbour_distance=pick.neighbour_distance,
        redundancy=pick.redundancy,
        task=served.state,
        label=served.label,
        answers=served.answers,
    )


def _reasons(means: dict[Reason, ScoreMeans]) -> list[ReasonRow]:
    size = sum(mean.n for mean in means.values())
    return [
        ReasonRow(
            reason=reason,
            n=mean.n,
            share=mean.n / size,
            mutual_information=mean.mutual_information,
            predictive_entropy=mean.entropy,
            redundancy=mean.redundancy,
            meaning=words.MEANING[reason],
        )
        for reason, mean in sorted(means.items(), key=lambda found: (-found[1].n, found[0]))
    ]


def _order(one: RoundThen, size: int, answered: list[tuple[int, datetime]]) -> OrderRow | None:
    if not answered:
        return None
    ranks = [rank for rank, _ in answered]
    found = spearman(ranks, [at.timestamp() for _, at in answered])
    value, ends = found if found else (None, None)
    return OrderRow(
        round=one.number,
        answered=len(answered),
        n=size,
        correlation=value,
        correlation_low=ends.low if ends else None,
        correlation_high=ends.high if ends else None,
        out_of_place=out_of_place(ranks),
        first_answer=answered[0][1],
        last_answer=answered[-1][1],
    )
