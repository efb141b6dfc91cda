"""What is ahead of a project: its learning curve continued, and what labels will take, as at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.domain.arms import Arm
from workbench.domain.looks import looks_needed
from workbench.domain.records import BudgetPoint, Reason
from workbench.domain.rounds import RoundState
from workbench.domain.seeds import derive_seed
from workbench.domain.terms import Terms
from workbench.reports.statistics.forecast import LEAST_POINTS, Curves, fit_curve
from workbench.reports.statistics.overlap import overlap_of
from workbench.reports.statistics.pace import DAY, Pace, Spent, pace_of
from workbench.reports.units import Unit
from workbench.reports.words import in_words
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.rounds import RoundThen

Floats = NDArray[np.float64]
METRIC = "accuracy"
DRAWS = 1000
#: Of the interval of every expected accuracy and gain.
LEVEL = 0.9
#: The tenth, the middle and the last tenth of what may come.
QUANTILES = (0.1, 0.5, 0.9)
#: How many times today's labels may be looked ahead where the size of the pool is not known.
FARTHEST = 100
#: Rounds that scatter more than this around every rising curve follow none.
LAWLESS = 0.05
#: A project that has closed no round for so many of its rounds' time is idle.
LONG_ROUNDS = 2
LAST_DAY = datetime(9999, 1, 1, tzinfo=UTC)
#: These picks were no part of the pool any more.
TAKEN_BEFORE = (Reason.RELABEL, Reason.GOLD)
POOL_USED_UP = "Every item of the pool was chosen: no more labels can be bought."


class Taken(NamedTuple):
    """What more labels take, in each of D draws."""

    labels_D: Floats
    cost_D: Floats
    seconds_D: Floats
    days_D: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """A project's curve and pace.

    Attributes:
        points: The budget curve, oldest first.
        curves: Where it goes; None where too few rounds were measured.
        pace: What a label takes; None while there is none.
        most: Labels that there can be at most: the pool's.
        at: The moment.
        closed_at: When the newest of the points was closed.
        looks: Rounds in a row that have to be at the target.
    """

    points: tuple[BudgetPoint, ...]
    terms: Terms
    curves: Curves | None
    pace: Pace | None
    most: float
    at: datetime
    closed_at: datetime | None = None
    looks: int = 1

    @property
    def newest(self) -> BudgetPoint | None:
        """The newest budget point."""
        return self.points[-1] if self.points else None

    @property
    def labels(self) -> int:
        """How many there are."""
        return self.points[-1].labels if self.points else 0

    @property
    def measured(self) -> tuple[BudgetPoint, ...]:
        """Those with a measurement."""
        return tuple(point for point in self.points if point.value is not None and point.n)

    @property
    def trusted(self) -> Curves | None:
        """The curves; None also where the rounds scatter too much around every rising one."""
        return self.curves if self.curves is not None and self.curves.scatter < LAWLESS else None

    @property
    def left(self) -> int:
        """Labels that can still be bought."""
        return max(0, int(self.most) - self.labels)

    @property
    def idle_days(self) -> int | None:
        """Days since a round was closed, where that is longer than two rounds at their pace, and a day."""
        taken = self.taken(self.batch)
        if self.closed_at is None or taken is None or taken.days_D is None:
            return None
        days = (self.at - self.closed_at).total_seconds() / DAY
        return int(days) if days > max(1.0, LONG_ROUNDS * float(np.median(taken.days_D))) else None

    @property
    def batch(self) -> int:
        """Labels of the last step that brought some."""
        return last_batch(self.points)

    def taken(self, labels: ArrayLike) -> Taken | None:
        """What so many more labels take: as many in each draw, or each its own [D]."""
        if self.pace is None:
            return None
        labels_D = np.broadcast_to(np.asarray(labels, np.float64), self.pace.seconds_D.shape)
        seconds_D = _of_each(labels_D, self.pace.seconds_D)
        answers_D = _of_each(labels_D, self.pace.annotations_D)
        cost_D = _of_each(answers_D, self.terms.per_annotation) + _of_each(
            seconds_D / 3600, self.terms.per_hour
        )
        days_D = None if self.pace.days_D is None else _of_each(labels_D, self.pace.days_D)
        return Taken(labels_D, cost_D, seconds_D, days_D)

    def more_until(self, target: float) -> Floats | None:
        """Labels that each curve still needs to a target, [D]; infinity beyond the pool."""
        if self.curves is None or self.newest is None:
            return None
        needed_D = np.ceil(self.curves.reaching(target) - 1e-9)
        return np.where(needed_D > self.most, np.inf, np.maximum(needed_D - self.newest.labels, 0))

    def day(self, days: float) -> datetime | None:
        """The day so far after the moment; None beyond the calendar."""
        return None if days > (LAST_DAY - self.at).total_seconds() / DAY else self.at + timedelta(days=days)


def _of_each(amount_D: Floats, each: ArrayLike) -> Floats:
    """So much for each; where that is nothing, labels without end take nothing, too."""
    each_D = np.broadcast_to(np.asarray(each, np.float64), amount_D.shape)
    return np.multiply(amount_D, each_D, out=np.zeros_like(amount_D), where=each_D != 0)


def no_forecast(outlook: Outlook) -> str:
    """Why no curve can be trusted, in a sentence."""
    if outlook.curves is None:
        found = len({point.labels for point in outlook.measured if point.labels})
        return (
            f"A forecast needs {LEAST_POINTS} rounds with new labels and a measurement each, found {found}."
        )
    if outlook.trusted is not None:
        return f"{POOL_USED_UP} There is nothing to forecast."
    scatter = in_words(outlook.curves.scatter, Unit.POINTS).removeprefix("+")
    return f"The rounds scatter by {scatter} around every rising curve, so where they go can not be told."


def outlook_of(facts: Facts) -> Outlook:
    """Read what there is and continue it."""
    points, rounds = accuracies(facts), facts.rounds.all()
    closed_at = {found.number: found.since for found in rounds if found.state is RoundState.CLOSED}
    seed = derive_seed(facts.project.seed, "forecast")
    spent = [
        Spent(p.labels, p.annotations, p.seconds, closed_at.get(p.round_number, facts.at)) for p in points
    ]
    return Outlook(
        points=points,
        terms=facts.terms.now(),
        curves=_curves(facts, points, seed),
        pace=pace_of(spent, rounds[0].created_at if rounds else None, DRAWS, seed),
        most=most_labels(facts, points, rounds),
        at=facts.at,
        closed_at=spent[-1].at if spent else None,
        looks=_looks(facts, points),
    )


def _looks(facts: Facts, points: Sequence[BudgetPoint]) -> int:
    measured = [point.round_number for point in points if point.value is not None and point.n]
    return looks_needed(measured[-1], facts.points.metrics()) if measured else 1


def _curves(facts: Facts, points: tuple[BudgetPoint, ...], seed: int) -> Curves | None:
    measured = [point for point in points if point.value is not None and point.n]
    n = [point.n for point in measured]
    right = [round((point.value or 0) * point.n) for point in measured]
    labels = [point.labels for point in measured]
    return fit_curve(labels, right, n, overlap=_overlap(facts, measured), draws=DRAWS, seed=seed)


def _overlap(facts: Facts, measured: list[BudgetPoint]) -> float | None:
    """What the rounds' errors have in common, from the predictions; 0 where each had items of its own."""
    hits = [found for found in facts.predictions.hits() if found.arm is Arm.ACTIVE]
    same = [found.right_N for found in hits if found.items_sha256 == hits[-1].items_sha256]
    if len(same) > 1 and measured and measured[-1].n == len(same[0]):
        return overlap_of(np.stack(same))
    return None if len({point.n for point in measured}) == 1 else 0.0


def accuracies(facts: Facts) -> tuple[BudgetPoint, ...]:
    """The budget curve of the accuracy, oldest first."""
    return tuple(point for point in facts.points.curve() if point.metric == METRIC)


def last_batch(points: Sequence[BudgetPoint]) -> int:
    """Labels of the last step that brought some."""
    steps = [later - earlier for earlier, later in pairwise([0, *(point.labels for point in points)])]
    return next((step for step in reversed(steps) if step > 0), 1)


def most_labels(facts: Facts, points: Sequence[BudgetPoint], rounds: Sequence[RoundThen]) -> float:
    """Labels that there can be at most: those that are there, and one for each item that is left."""
    labels = points[-1].labels if points else 0
    last = next((found for found in reversed(rounds) if found.pool_size is not None), None)
    if last is None or last.pool_size is None:
        return float(FARTHEST * max(labels, 1))
    chosen = facts.rounds.score_means(last.id)
    # What the round of the newest point chose has brought its labels, or will bring none.
    gone = points and last.number <= points[-1].round_number
    taken = sum(found.n for reason, found in chosen.items() if reason not in TAKEN_BEFORE) if gone else 0
    return float(labels + max(0, last.pool_size - taken) + facts.coverage.rows_since(last.created_at))


class Quantiles(NamedTuple):
    """The tenth, the middle and the last tenth; None where it is beyond reach."""

    p10: float | None
    p50: float | None
    p90: float | None


def quantiles_of(values_D: Floats) -> Quantiles:
    """Compute them where some draws are infinite: no value between two draws is made up."""
    found = np.quantile(values_D, QUANTILES, method="inverted_cdf")
    return Quantiles(*(float(value) if np.isfinite(value) else None for value in found))
