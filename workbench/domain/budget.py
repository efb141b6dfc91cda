"""What labels cost, and the caps that can not be overrun."""

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


def promise(tasks: int, *, overlap: int, spent: Spending, prices: Prices) -> Spending:
    """What ``tasks`` more tasks will take, at the pace seen so far."""
    pace = spent.seconds / spent.annotations if spent.annotations else prices.expected_seconds
    return Spending(tasks, tasks * overlap, tasks * overlap * pace)


def affordable(
    wanted: int, *, spent: Spending, reserved: int, overlap: int, caps: Caps, prices: Prices
) -> int:
    """How many of ``wanted`` tasks fit under every cap, beside the ``reserved`` ones still unanswered.

    Raises:
        BudgetExhausted: Not even one fits.
    """
    for count in range(wanted, 0, -1):
        total = spent.plus(promise(reserved + count, overlap=overlap, spent=spent, prices=prices))
        if not _broken(total, caps, prices):
            return count
    one = spent.plus(promise(reserved + 1, overlap=overlap, spent=spent, prices=prices))
    waiting = f", {reserved} of them promised to tasks that wait for an answer" if reserved else ""
    raise BudgetExhausted(
        f"One more label would break the budget: {'; '.join(_broken(one, caps, prices))}{waiting}. "
        "Raise the cap under [budget] in workbench.toml, or stop: `workbench report` shows what was bought."
    )


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
