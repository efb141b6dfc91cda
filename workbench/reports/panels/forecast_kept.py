"""What each round foresaw when it was closed, as it was kept then: the numbers behind the charts of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.reports.panel import Table
from workbench.reports.units import Count, Money, Points, RoundNumber, Share
from workbench.storage.facts.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRow:
    """Labels until the target, from the tenth to the last tenth, and what the next batch was to bring."""

    round: RoundNumber | None
    labels: Count
    target: Share | None
    needed: Count | None
    needed_low: Count | None
    needed_high: Count | None
    chance: Share | None
    batch: Count | None
    gain: Points | None
    gain_low: Points | None
    gain_high: Points | None
    cost: Money | None


def kept_table(kept: Sequence[Diagnostic]) -> Table:
    """One row a round that foresaw something."""
    return Table(
        name="forecast_by_round",
        title="What each round foresaw",
        row=KeptRow,
        rows=[_row(found) for found in kept if found.content.get("gain") or found.content.get("target")],
        empty="No round has kept a forecast yet: it needs three measured rounds.",
    )


def _row(found: Diagnostic) -> KeptRow:
    target, gain = found.content.get("target") or {}, found.content.get("gain") or {}
    low, middle, high = (
        None if value is None else round(value) for value in target.get("labels") or [None] * 3
    )
    return KeptRow(
        round=found.round_number,
        labels=found.content["labels"],
        target=target.get("accuracy"),
        needed=middle,
        needed_low=low,
        needed_high=high,
        chance=target.get("chance"),
        batch=round(gain["labels"]) if gain else None,
        gain=gain.get("expected"),
        gain_low=gain.get("low"),
        gain_high=gain.get("high"),
        cost=gain.get("cost"),
    )
