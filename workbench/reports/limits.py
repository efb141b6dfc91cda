"""Target, caps, deadline and what the next batch is worth, each judged by a stated rule as of a moment."""

from workbench.domain.looks import sure_low
from workbench.domain.records import BudgetPoint
from workbench.reports.outlook import LEVEL, POOL_USED_UP, Outlook, no_forecast
from workbench.reports.purchases import purchase
from workbench.reports.statistics.purchase import Purchase
from workbench.reports.stopping_record import Judged, Says
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval

HOUR = 3600.0
#: So much more of labels, whatever a batch is, should bring at least so much accuracy.
MORE, SMALL = 0.25, 0.01
#: What is less than that is shown as nothing, and has no price.
LEAST = 0.0005
LEVEL_WORDS = in_words(LEVEL, Unit.SHARE, n=1)
TARGET, DEADLINE, POOL, WORTH = "target", "deadline", "pool", "a_quarter_more"
CAPS = ("max_labels", "max_cost", "max_hours")


def judged_target(outlook: Outlook) -> Judged | None:
    """Whether the target is reached beyond doubt."""
    target, point = outlook.terms.target, outlook.measured[-1] if outlook.measured else None
    if target is None:
        return None
    stated = "Stop when the lower end of the accuracy's 95 % interval is at the target"
    stated += "." if outlook.looks == 1 else ", in two rounds in a row, as each has random picks of its own."
    if point is None or point.low is None:
        return Judged(TARGET, stated, None, target, Says.UNKNOWN, "No accuracy has been measured.")
    accuracy = interval(point.value, point.low, point.high, Unit.SHARE, n=point.n)
    reason = f"The accuracy is {accuracy}, the target {in_words(target, Unit.SHARE)}."
    low = sure_low(outlook.measured, outlook.looks)
    says = Says.STOP if low is not None and low >= target else Says.GO_ON
    return Judged(TARGET, stated, point.low, target, says, reason)


def judged_caps(outlook: Outlook) -> list[Judged]:
    """Whether one more label would break a cap."""
    terms, one, point = outlook.terms, outlook.taken(1.0), outlook.newest
    used = (point.labels, point.cost, point.seconds / HOUR) if point else (0, 0.0, 0.0)
    more = (1.0, float(one.cost_D.mean()), float(one.seconds_D.mean()) / HOUR) if one else (1.0, 0.0, 0.0)
    caps = (terms.max_labels, terms.max_cost, terms.max_hours)
    return [
        _judged_cap(name, float(spent), step, float(cap), terms.currency, _by(point))
        for name, spent, step, cap in zip(CAPS, used, more, caps, strict=True)
        if cap is not None
    ]


def _by(point: BudgetPoint | None) -> str:
    """Until when was counted: what a round under way spends is known when it is closed."""
    return f" by the end of round {point.round_number}" if point else ""


def _judged_cap(name: str, used: float, step: float, cap: float, currency: str, by: str) -> Judged:
    said = {
        "max_labels": (in_words(int(used), Unit.COUNT), count(int(cap), "label")),
        "max_cost": (
            in_words(used, Unit.MONEY, currency=currency),
            in_words(cap, Unit.MONEY, currency=currency),
        ),
        "max_hours": (in_words(used * HOUR, Unit.SECONDS), in_words(cap * HOUR, Unit.SECONDS)),
    }[name]
    return Judged(
        rule=name,
        stated=f"Stop when one more label would break the cap [budget] {name}.",
        value=used,
        threshold=cap,
        says=Says.STOP if used + step > cap + 1e-9 else Says.GO_ON,
        reason=f"{said[0]} of {said[1]} used{by}, {in_words(used / cap, Unit.SHARE)}.",
    )


def judged_deadline(outlook: Outlook) -> Judged | None:
    """Whether the last day is over."""
    deadline = outlook.terms.deadline
    if deadline is None:
        return None
    left = (deadline - outlook.at.date()).days
    words = f"{count(left, 'day')} left" if left >= 0 else f"over since {count(-left, 'day')}"
    return Judged(
        rule=DEADLINE,
        stated="Stop when the deadline is over.",
        value=float(left),
        threshold=0.0,
        says=Says.STOP if left < 0 else Says.GO_ON,
        reason=f"The deadline is {deadline.isoformat()}: {words}.",
    )


def judged_pool(outlook: Outlook) -> Judged | None:
    """Whether the pool is used up; None while it is not."""
    if not outlook.points or outlook.left:
        return None
    reason = f"{POOL_USED_UP} `workbench pool add` brings more."
    return Judged(POOL, "Stop when the pool is used up.", 0.0, 0.0, Says.STOP, reason)


def judged_worth(outlook: Outlook) -> Judged:
    """Whether a quarter more labels could still bring something."""
    stated = (
        f"Stop when a quarter more labels bring less than {in_words(SMALL, Unit.POINTS).removeprefix('+')} "
        f"even at the upper end of the {LEVEL_WORDS} interval."
    )
    bought = purchase(outlook, max(1, round(MORE * outlook.labels)))
    if bought is None:
        return Judged(WORTH, stated, None, SMALL, Says.UNKNOWN, no_forecast(outlook))
    gain = interval(bought.gain, bought.gain_low, bought.gain_high, Unit.POINTS)
    return Judged(
        rule=WORTH,
        stated=stated,
        value=bought.gain_high,
        threshold=SMALL,
        says=Says.STOP if bought.gain_high < SMALL else Says.GO_ON,
        reason=(
            f"By the curves of the forecast {count(bought.labels, 'more label')} should bring "
            f"{gain}{_price(bought, outlook)}."
        ),
    )


def _price(bought: Purchase, outlook: Outlook) -> str:
    if not bought.cost:
        return ""
    price = f" for {in_words(bought.cost, Unit.MONEY, currency=outlook.terms.currency)}"
    if bought.gain < LEAST:
        return price
    point = in_words(bought.cost / bought.gain / 100, Unit.MONEY, currency=outlook.terms.currency)
    return f"{price}, {point} a point"
