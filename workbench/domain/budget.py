"""What labels cost, and the caps that can not be overrun."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from workbench.domain.errors import BudgetExhausted


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What an annotation costs: a price each, an hourly wage, or both."""

    per_annotation: float = 0.0
    per_hour: float = 0.0
    #: What an annotation is taken to last before any has been timed.
    expected_seconds: float = 10.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Hard limits; None means no limit."""

    labels: int | None = None
    cost: float | None = None
    hours: float | None = None


class Spending(NamedTuple):
    """What was spent so far, or is promised to tasks that wait for an answer."""

    labels: int
    annotations: int
    seconds: float

    def cost(self, prices: Prices) -> float:
        """Money, in the currency of ``prices``."""
        return self.annotations * prices.per_annotation + self.seconds / 3600 * prices.per_hour

    def plus(self, other: "Spending") -> "Spending":
        """Both together."""
        return Spending(
            self.labels + other.labels,
            self.annotations + other.annotations,
            self.seconds + other.seconds,
        )


class Promise(NamedTuple):
    """What is promised to tasks: labels that they may bring, and annotations that they still miss."""

    labels: int
    annotations: int

    def plus(self, other: "Promise") -> "Promise":
        """Both together."""
        return Promise(self.labels + other.labels, self.annotations + other.annotations)


def expected(promised: Promise, *, spent: Spending, prices: Prices) -> Spending:
    """What a promise will take, at the pace seen so far."""
    pace = spent.seconds / spent.annotations if spent.annotations else prices.expected_seconds
    return Spending(promised.labels, promised.annotations, promised.annotations * pace)


def fits(promised: Promise, *, spent: Spending, caps: Caps, prices: Prices) -> bool:
    """Whether all that is promised can be kept under every cap."""
    total = spent.plus(expected(promised, spent=spent, prices=prices))
    return not _broken(total, caps, prices)


def affordable(
    wanted: int,
    *,
    spent: Spending,
    promised: Promise,
    overlap: int,
    caps: Caps,
    prices: Prices,
    gold_share: float = 0.0,
) -> int:
    """How many of ``wanted`` tasks fit under every cap, beside what is promised already.

    Gold tasks come on top of a batch: they cost annotations and bring no label.

    Raises:
        BudgetExhausted: Not even one fits.
    """
    for count in range(wanted, 0, -1):
        more = promised.plus(_batch(count, overlap, gold_share))
        if fits(more, spent=spent, caps=caps, prices=prices):
            return count
    more = promised.plus(_batch(1, overlap, gold_share))
    one = spent.plus(expected(more, spent=spent, prices=prices))
    waiting = (
        f", {_words(promised)} of them promised to tasks that wait for an answer" if any(promised) else ""
    )
    raise BudgetExhausted(
        f"One more label would break the budget: {'; '.join(_broken(one, caps, prices))}{waiting}. "
        "Raise the cap, as in `workbench budget set max_labels=2000`, or stop: `workbench report` shows what "
        "was bought."
    )


def _batch(count: int, overlap: int, gold_share: float) -> Promise:
    return Promise(count, (count + math.ceil(count * gold_share)) * overlap)


def _words(promised: Promise) -> str:
    return f"{promised.labels} labels and {promised.annotations} annotations"


def _broken(total: Spending, caps: Caps, prices: Prices) -> list[str]:
    slack = 1e-9
    hours = total.seconds / 3600
    cost = total.cost(prices)
    faults = []
    if caps.labels is not None and total.labels > caps.labels:
        faults.append(f"{total.labels} labels where {caps.labels} are allowed")
    if caps.cost is not None and cost > caps.cost + slack:
        faults.append(f"{cost:.2f} {prices.currency} where {caps.cost:.2f} are allowed")
    if caps.hours is not None and hours > caps.hours + slack:
        faults.append(f"{hours:.2f} hours where {caps.hours:.2f} are allowed")
    return faults
