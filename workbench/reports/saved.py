"""What choosing saved, as rows and as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workbench.domain.arms import Arm
from workbench.reports.against import Pair
from workbench.reports.apart import BETTER, NOT_SHOWN, WORSE, verdict
from workbench.reports.panel import Finding, Tone
from workbench.reports.statistics.savings import (
    Estimate,
    Shared,
    area_difference,
    area_difference_of_runs,
    area_of,
    reached_by_both,
    saved_at,
    saved_at_last,
    shared,
    speed_up,
)
from workbench.reports.units import Count, Share, Unit
from workbench.reports.words import count, in_words, interval

TONES = {BETTER: Tone.GOOD, WORSE: Tone.BAD, NOT_SHOWN: Tone.UNKNOWN}
AHEAD = {BETTER: "choosing was ahead of random", WORSE: "random was ahead of choosing"}
ANSWERS = {
    BETTER: "Choosing beat random here",
    WORSE: "Random beat choosing here",
    NOT_SHOWN: "Whether choosing beat random here is not shown",
}
#: A single run of each arm shows nothing of choosing that luck may explain.
LUCK = "the luck of batches and training may explain it"
LABELS, SHARES, POINTS, TIMES = "labels", "share", "difference of shares", "times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One measure with its interval; an end that is missing is open."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    level: Share
    #: Held-out items behind it.
    n: Count
    verdict: str | None


class Measures(NamedTuple):
    """All measures of a pair of curves."""

    rows: list[Saved]
    findings: list[Finding]


def savings(pair: Pair, target: float | None, level: float) -> Measures | str:
    """Compute all measures; in words why not, where the curves share no labels."""
    over = shared(pair.active, pair.random)
    if over is None:
        return "the labels of both arms do not overlap yet: close one more round"
    told = _Told(pair, over, level, area_difference_of_runs(pair.active, pair.random, over, level))
    at_target = told.at_target(target) if target is not None else []
    at_last, areas, faster = told.at_last(over), told.areas(over), told.faster(over)
    # Who reads one sentence reads whether choosing beat random.
    told_first = [*areas, at_last, *at_target, faster]
    findings = [part.finding for part in told_first if part.finding is not None]
    return Measures([part.row for part in (*at_target, at_last, *areas, faster)], findings)


class _Part(NamedTuple):
    row: Saved
    finding: Finding | None = None


class _Told(NamedTuple):
    pair: Pair
    over: Shared
    level: float
    #: The difference of the areas, with luck: no measure shows more than this one.
    runs: Estimate

    def at_target(self, target: float) -> list[_Part]:
        found = saved_at(self.pair.active, self.pair.random, target, self.level)
        where = f"at the target of {in_words(target, Unit.SHARE)} accuracy"
        row = self._row("labels saved at target", found, LABELS, 0.0)
        words = self._labels(found, where, row.verdict or NOT_SHOWN)
        if found.low is None and found.high is None:
            words = f"Not shown: labels saved {where}, as neither arm has surely reached it."
        return [_Part(row, Finding(words, TONES[row.verdict or NOT_SHOWN]))]

    def at_last(self, over: Shared) -> _Part:
        found = saved_at_last(self.pair.active, self.pair.random, over, self.level)
        reached = reached_by_both(self.pair.active, self.pair.random, over)
        where = f"at the {in_words(reached, Unit.SHARE, n=self.pair.items)} that both reached"
        row = self._row("labels saved at what both reached", found, LABELS, 0.0)
        words = self._labels(found, where, row.verdict or NOT_SHOWN)
        return _Part(row, Finding(words, TONES[row.verdict or NOT_SHOWN]))

    def _labels(self, found: Estimate, where: str, shown: str) -> str:
        said = _interval(found, Unit.COUNT)
        if shown == NOT_SHOWN and verdict(found.low, found.high) != NOT_SHOWN:
            return f"Not shown: labels saved {where}, {said} for these very models: {LUCK}."
        if shown == NOT_SHOWN:
            return f"Not shown: labels saved {where}, {said}: the interval covers zero."
        if shown == BETTER and found.high is None:
            return (
                f"Labels saved {where}: {said}, as random has not surely reached it with "
                f"{count(int(self.pair.random.labels_R[-1]), 'label')}: {AHEAD[shown]}."
            )
        return f"Labels saved {where}: {said}: {AHEAD[shown]}."

    def areas(self, over: Shared) -> list[_Part]:
        active = area_of(self.pair.active, over, self.level)
        random = area_of(self.pair.random, over, self.level)
        gap = area_difference(self.pair.active, self.pair.random, over, self.level)
        row = self._row("area under the curve, chosen minus random", gap, POINTS, 0.0)
        runs = self._row("area under the curve, chosen minus random, luck included", self.runs, POINTS, 0.0)
        return [
            _Part(self._row("area under the curve, chosen", active, SHARES, None)),
            _Part(self._row("area under the curve, random", random, SHARES, None)),
            _Part(row, self._area(gap, row.verdict or NOT_SHOWN)),
            _Part(runs),
        ]

    def _area(self, gap: Estimate, shown: str) -> Finding:
        said = interval(gap.value, gap.low, gap.high, Unit.POINTS, n=self.pair.items)
        span = f"{in_words(int(self.over.low), Unit.COUNT)} to {count(int(self.over.high), 'label')}"
        luck = interval(gap.value, self.runs.low, self.runs.high, Unit.POINTS, n=self.pair.items)
        words = (
            f"{ANSWERS[shown]}: in the mean over {span} its accuracy minus that of random is {said} for "
            f"these very models ({in_words(self.level, Unit.SHARE, n=1)} interval), and with the luck of "
            f"batches and training {luck}"
        )
        return Finding(f"{words}.", TONES[shown])

    def faster(self, over: Shared) -> _Part:
        found = speed_up(self.pair.active, self.pair.random, over, self.level)
        row = self._row("speed-up factor", found, TIMES, 1.0)
        said = _interval(found, Unit.FACTOR)
        if row.verdict == NOT_SHOWN:
            words = f"Not shown: a speed-up, {said}: the interval covers one."
            if found.low is None and found.high is None:
                words = "Not shown: a speed-up, as no one factor lays the curves surely over each other."
            elif verdict(found.low, found.high, 1.0) != NOT_SHOWN:
                words = f"Not shown: a speed-up, {said} for these very models: {LUCK}."
            return _Part(row, Finding(words, Tone.UNKNOWN))
        words = f"Random needs {said} as many labels for the same accuracy"
        if found.value is not None:
            words += f": chosen ones are {in_words(1 / found.value, Unit.SHARE, n=1)} of them"
        return _Part(row, Finding(f"{words}.", TONES[row.verdict or NOT_SHOWN]))

    def _row(self, measure: str, found: Estimate, unit: str, nothing: float | None) -> Saved:
        return Saved(
            measure=measure,
            value=found.value,
            low=found.low,
            high=found.high,
            unit=unit,
            level=self.level,
            n=self.pair.items,
            verdict=None if nothing is None else self._beyond_luck(verdict(found.low, found.high, nothing)),
        )

    def _beyond_luck(self, shown: str) -> str:
        """The verdict on choosing; what may be luck is not shown."""
        return shown if shown == verdict(self.runs.low, self.runs.high) else NOT_SHOWN


def _interval(found: Estimate, unit: Unit) -> str:
    """A value with its interval, which may be open."""
    if found.low is not None and found.high is not None and found.value is None:
        return f"between {in_words(found.low, unit)} and {in_words(found.high, unit)}"
    if found.low is not None and found.high is not None:
        return interval(found.value, found.low, found.high, unit)
    value = "" if found.value is None else f"{in_words(found.value, unit)}, "
    if found.low is not None:
        return f"{value}at least {in_words(found.low, unit)}"
    return f"{value}at most {in_words(found.high, unit)}" if found.high is not None else "anything"


def caveats(pair: Pair, left_out: int) -> Sequence[Finding]:
    """What the intervals cover, and what they do not."""
    found = [
        Finding(
            f"Intervals say what other held-out items than these {in_words(pair.items, Unit.COUNT)} would "
            "have shown of these very models. The luck of batches and training is read off the jumps of two "
            "curves; several seeds beside each other (Comparison) tell more."
        )
    ]
    if pair.against is Arm.CONTROL:
        found.append(
            Finding(
                f"Random is continued from models of {pair.fewest} to {count(pair.most, 'label')} of the "
                f"random share to the project's {in_words(int(pair.active.labels_R[-1]), Unit.COUNT)} by "
                "families of learning curves: the intervals are wide and lean on their shapes."
            )
        )
    if left_out:
        words = f"Left out, as measured on other held-out items: {count(left_out, 'round')}."
        found.append(Finding(words, Tone.WARNING))
    return found
