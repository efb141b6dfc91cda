"""Forecast: labels, money and days until the target, and how far such forecasts could be trusted so far."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.reports.kept_forecast import FORECAST, Tested, back_test
from workbench.reports.outlook import Outlook, Quantiles, outlook_of, quantiles_of
from workbench.reports.panel import Finding, Reading, Table, View
from workbench.reports.panels import forecast_words as words
from workbench.reports.panels.forecast_charts import back_test_chart, curve_chart, history_chart
from workbench.reports.panels.forecast_kept import kept_table
from workbench.reports.purchases import purchases
from workbench.reports.statistics.purchase import Purchase
from workbench.reports.units import Count, Money, Points, RoundNumber, Seconds, Share, Time
from workbench.storage.facts.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """When the target is reached: with chance 10 % by P10, evenly by P50, with 90 % by P90; totals.

    ``chance`` is that of reaching it at all with what the pool can give; a value beyond that is missing.
    """

    quantile: str
    target: Share
    labels: Count | None
    more_labels: Count | None
    cost: Money | None
    seconds: Seconds | None
    date: Time | None
    chance: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRow:
    """What more labels buy; intervals are 90 %. Gain per 100 is per 100 units of money, or empty if free."""

    more_labels: Count
    labels: Count
    gain: Points
    gain_low: Points
    gain_high: Points
    cost: Money | None
    gain_per_100: Points | None
    accuracy: Share
    accuracy_low: Share
    accuracy_high: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTestRow:
    """What a round expected of a later one, with its 90 % band, and what was measured then."""

    made_in: RoundNumber
    round: RoundNumber
    rounds_ahead: Count
    labels: Count
    expected: Share
    expected_low: Share
    expected_high: Share
    measured: Share
    error: Points
    inside: bool


class Reach(NamedTuple):
    """When the target is reached, in draws and as rows."""

    rows: list[TargetRow]
    finding: Finding
    needed: Quantiles


class Forecast:
    """Where the learning curve goes, and what that costs."""

    name = "forecast"
    title = "Forecast"
    sentence = "What it takes to reach the target, and what the next labels would buy."

    def read(self, facts: Facts, view: View) -> Reading:
        """Continue the curve; hold earlier forecasts against what came."""
        outlook = facts.once(outlook_of)
        kept = facts.diagnostics.all(FORECAST)
        tested = back_test(kept, outlook.points)
        missing = words.no_curve(outlook)
        if outlook.trusted is None or missing is not None:
            tables = (*_tables([], [], tested), kept_table(kept))
            return Reading(findings=(missing or words.NO_TARGET, words.of_back_test(tested)), tables=tables)
        reach, bought = _reach(outlook), purchases(outlook, view.labels)
        charts = (
            curve_chart(outlook, outlook.trusted, reach.needed if reach else None),
            back_test_chart(tested),
            history_chart(kept, outlook.terms.target),
        )
        return Reading(
            findings=(
                reach.finding if reach else words.NO_TARGET,
                words.of_purchase(outlook, bought[0], view.labels) if bought else words.USED_UP,
                words.of_back_test(tested),
            ),
            tables=(
                *_tables(
                    reach.rows if reach else [],
                    [_next_row(found, outlook.labels) for found in bought],
                    tested,
                ),
                kept_table(kept),
            ),
            charts=tuple(chart for chart in charts if chart is not None),
        )


def _reach(outlook: Outlook) -> Reach | None:
    target, newest = outlook.terms.target, outlook.newest
    more_D = outlook.more_until(target) if target is not None else None
    if target is None or more_D is None or newest is None:
        return None
    chance = float(np.isfinite(more_D).mean())
    more, taken, none = quantiles_of(more_D), outlook.taken(more_D), Quantiles(None, None, None)
    more_cost = quantiles_of(taken.cost_D) if taken else none
    more_seconds = quantiles_of(taken.seconds_D) if taken else none
    days = quantiles_of(taken.days_D) if taken and taken.days_D is not None else none
    dates = [None if value is None else outlook.day(value) for value in days]
    rows = [
        TargetRow(
            quantile=name,
            target=target,
            labels=_total(newest.labels, labels),
            more_labels=None if labels is None else round(labels),
            cost=None if cost is None else newest.cost + cost,
            seconds=None if seconds is None else newest.seconds + seconds,
            date=date,
            chance=chance,
        )
        for name, labels, cost, seconds, date in zip(
            ("P10", "P50", "P90"), more, more_cost, more_seconds, dates, strict=True
        )
    ]
    said = [f"{date:%Y-%m-%d}" if date else "" for date in dates]
    needed = Quantiles(*(None if value is None else newest.labels + value for value in more))
    return Reach(rows, words.of_target(outlook, more, more_cost, said, chance), needed)


def _total(labels: int, more: float | None) -> int | None:
    return None if more is None else labels + round(more)


def _next_row(found: Purchase, now: int) -> NextRow:
    values = found._asdict()
    more, cost = values.pop("labels"), values.pop("cost")
    per_100 = found.gain / cost * 100 if cost else None
    return NextRow(more_labels=more, labels=now + more, cost=cost, gain_per_100=per_100, **values)


def _tables(target: list[TargetRow], more: list[NextRow], tested: list[Tested]) -> tuple[Table, ...]:
    return (
        Table(
            name="forecast",
            title="Until the target",
            row=TargetRow,
            rows=target,
            empty="Nothing to say before a target is set and three rounds were measured.",
        ),
        Table(
            name="forecast_next",
            title="What the next labels would buy",
            row=NextRow,
            rows=more,
            empty="Nothing to say before three rounds were measured.",
        ),
        Table(
            name="forecast_backtest",
            title="Earlier forecasts, and what came",
            row=BackTestRow,
            rows=[_tested_row(found) for found in tested],
            empty="No earlier forecast to be held against a later round.",
        ),
    )


def _tested_row(found: Tested) -> BackTestRow:
    return BackTestRow(
        made_in=found.made_in,
        round=found.round_number,
        rounds_ahead=found.ahead,
        labels=found.labels,
        expected=found.expected,
        expected_low=found.low,
        expected_high=found.high,
        measured=found.measured,
        error=found.error,
        inside=found.inside,
    )
