"""What the forecast says, in sentences."""

from collections.abc import Sequence

import numpy as np

from workbench.reports.kept_forecast import Tested
from workbench.reports.outlook import LEVEL, POOL_USED_UP, Outlook, Quantiles, no_forecast
from workbench.reports.panel import Finding, Tone
from workbench.reports.statistics.purchase import Purchase
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval

LEVEL_WORDS = in_words(LEVEL, Unit.SHARE, n=1)
#: Below this chance a target counts as out of reach.
UNLIKELY = 0.1
#: Fewer earlier forecasts than these say nothing about how often bands hold.
ENOUGH = 5


def no_curve(outlook: Outlook) -> Finding | None:
    """Why there is no forecast, where there is none."""
    if outlook.trusted is not None:
        return None
    more = "" if outlook.curves else " Run `workbench round ask` and `workbench round tell` for more."
    return Finding(f"Not shown. {no_forecast(outlook)}{more}", Tone.UNKNOWN)


def of_target(
    outlook: Outlook, labels: Quantiles, cost: Quantiles, days: Sequence[str], chance: float
) -> Finding:
    """When the target is reached, and for what."""
    terms, target = outlook.terms, in_words(outlook.terms.target, Unit.SHARE)
    if chance < UNLIKELY:
        return Finding(
            f"{target} is likely beyond reach: the chance of getting there with the "
            f"{count(int(outlook.most), 'label')} that the pool can give is {in_words(chance, Unit.SHARE)}.",
            Tone.BAD,
        )
    if labels.p50 == 0:
        return Finding(f"{target} is reached now, by the middle of all curves that fit.", Tone.GOOD)
    if labels.p50 is None:
        luck = f"{in_words(round(labels.p10 or 0), Unit.COUNT)} more labels"
        money = f" and {in_words(cost.p10, Unit.MONEY, currency=terms.currency)}" if cost.p10 else ""
        return Finding(
            f"{target} is more likely than not beyond the pool: the chance of reaching it is "
            f"{in_words(chance, Unit.SHARE)}, and with luck, one time in ten, it takes {luck}{money}.",
            Tone.WARNING,
        )
    parts = [_reach(labels, Unit.COUNT, "more labels", "")]
    if terms.per_annotation or terms.per_hour:
        parts.append(_reach(cost, Unit.MONEY, "", terms.currency))
    when = (
        f", by {days[1]}" + (f" [{days[0]} to {days[2]}]" if days[0] and days[2] else "") if days[1] else ""
    )
    idle = outlook.idle_days
    if when and idle is not None:
        when += f" if labeling goes on today as before, though no round was closed for {count(idle, 'day')}"
    return Finding(
        f"{target} should take {' and '.join(parts)}{when}; the chance of reaching it at all is "
        f"{in_words(chance, Unit.SHARE)}.",
        Tone.NEUTRAL if chance >= 0.5 else Tone.WARNING,
    )


def _reach(values: Quantiles, unit: Unit, noun: str, currency: str) -> str:
    if values.p90 is None:
        low = in_words(values.p10, unit, currency=currency)
        middle = in_words(values.p50, unit, currency=currency)
        return f"{middle} {noun} [{low} to beyond reach]".replace("  ", " ")
    whole = interval(values.p50, values.p10, values.p90, unit, currency=currency)
    return f"{whole} {noun}".rstrip()


def without_sign(points: float) -> str:
    """A size in percentage points."""
    return in_words(points, Unit.POINTS).removeprefix("+")


NO_TARGET = Finding(
    "No target is set: write `target = 0.95` under [report] in workbench.toml, or say it to "
    "`workbench budget`, and this says when it is reached.",
    Tone.UNKNOWN,
)


USED_UP = Finding(f"{POOL_USED_UP} `workbench pool add` brings more.", Tone.NEUTRAL)


def of_purchase(outlook: Outlook, bought: Purchase, asked: int | None) -> Finding:
    """What more labels buy; as many as are left where more are asked for."""
    gain = interval(bought.gain, bought.gain_low, bought.gain_high, Unit.POINTS)
    price = (
        f" for {in_words(bought.cost, Unit.MONEY, currency=outlook.terms.currency)}" if bought.cost else ""
    )
    shown = bought.gain_low > 0.0005
    fewer = "" if asked is None or asked <= bought.labels else " The pool can give no more."
    return Finding(
        f"{count(bought.labels, 'more label')}{price}: {gain} of accuracy expected ({LEVEL_WORDS} interval)."
        f"{fewer}",
        Tone.NEUTRAL if shown else Tone.UNKNOWN,
    )


def of_back_test(tested: Sequence[Tested]) -> Finding:
    """How good earlier forecasts were."""
    one = [found for found in tested if found.ahead == 1]
    if not one:
        return Finding(
            "No earlier forecast can be held against a later round yet: one is kept whenever a round closes.",
            Tone.UNKNOWN,
        )
    inside = sum(found.inside for found in one)
    off = without_sign(float(np.mean([abs(found.error) for found in one])))
    bias = in_words(float(np.mean([found.error for found in one])), Unit.POINTS)
    words = (
        f"Of {count(len(one), 'earlier forecast')} one round ahead, {inside} had what came inside the "
        f"{LEVEL_WORDS} band; they were off by {off} on average ({bias} with sign)."
    )
    if len(one) < ENOUGH:
        return Finding(words, Tone.NEUTRAL)
    return Finding(words, Tone.GOOD if inside / len(one) >= 0.8 else Tone.WARNING)
