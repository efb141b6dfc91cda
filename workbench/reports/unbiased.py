"""How good the models were on the pool itself, without held-out items: from random picks and chosen ones.

Both are of the model that chose the batch, before it learnt from it, against the labels that people gave.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.domain.records import Metric
from workbench.reports.statistics.lure import Weighed, together, weigh
from workbench.reports.statistics.proportions import wilson_band
from workbench.reports.units import Count, Share
from workbench.storage.facts.predictions import Drawn

RANDOM_SHARE, LURE = "random share", "chosen items, weighed"
ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbiased:
    """One round, or all of them; not shown where the items stand for less than half of the pool."""

    rounds: str
    method: str
    accuracy: Share | None
    low: Share | None
    high: Share | None
    n: Count
    #: How many random items would have told as much.
    worth: float | None
    #: How much of the pool the drawn items stand for, by their weights; around 1 where for all of it.
    represented: Share


def from_random(metrics: Sequence[tuple[int, Metric]], level: float) -> list[Unbiased]:
    """The random picks of each round, and of all; the model had not learnt from them yet."""
    found = [
        (str(number), round(metric.value * metric.n), metric.n)
        for number, metric in metrics
        if (metric.split, metric.name) == ("control", "accuracy")
    ]
    if len(found) > 1:
        found.append((ALL, sum(right for _, right, _ in found), sum(n for _, _, n in found)))
    return [_share(rounds, right, n, level) for rounds, right, n in found]


def _share(rounds: str, right: int, n: int, level: float) -> Unbiased:
    band = wilson_band(np.array([right / n]), np.array([float(n)]), level)
    low, high = float(band.low_R[0]), float(band.high_R[0])
    return Unbiased(
        rounds=rounds,
        method=RANDOM_SHARE,
        accuracy=right / n,
        low=low,
        high=high,
        n=n,
        worth=float(n),
        represented=1.0,
    )


def from_chosen(drawn: Sequence[Drawn], level: float) -> list[Unbiased]:
    """What was drawn by chances that are known, each weighed by its own, of each round and of all."""
    found = [
        (str(batch.round_number), weighed)
        for batch in drawn
        if (weighed := weigh(batch.wrong_M, batch.proposal_M, batch.pool, level, known_M=batch.known_M))
    ]
    rows = [_weighed(rounds, weighed) for rounds, weighed in found]
    if len(found) > 1:
        rows.append(_weighed(ALL, together([weighed for _, weighed in found], level)))
    return rows


def _weighed(rounds: str, of: Weighed) -> Unbiased:
    return Unbiased(
        rounds=rounds,
        method=LURE,
        accuracy=of.accuracy if of.shown else None,
        low=of.low if of.shown else None,
        high=of.high if of.shown else None,
        n=of.n,
        worth=of.effective if of.shown else None,
        represented=of.represented,
    )
