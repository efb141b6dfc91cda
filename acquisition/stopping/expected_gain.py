"""Expected gain: stop when the next batch is expected to bring less than it costs.

Formula: accuracy(n) = a − b · n^(−c), with b ≥ 0; the expected gain of k more labels divided by their cost
is compared with ``threshold``: in any currency a point for the price of a hundred labels. For each c of a
grid from 0.05 to 3 (a and b by weighted least squares, b normal and cut off below 0) the gain is weighted
with the likelihood that the curve reaches; the interval is of that mixture. Needs accuracy in
``least_rounds`` rounds, standard errors where known, and costs where it is to be told in money.
O(rounds · 400).
When to use: a target in money or labels. What to tune: ``threshold``, what one unit of cost has to bring at
least, where a point is worth another price; and ``batch``. A power law says nothing of a jump to come, such
as a class that was never seen.
Source: power laws of learning curves: Figueroa et al. 2012, https://doi.org/10.1186/1472-6947-12-8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.stopping.history import History, Rule, Verdict, not_enough
from acquisition.stopping.weighted_line import Line, Measured, measured, weighted_line

#: Gain of the metric that a label has to bring: a point of accuracy for a hundred of them.
PER_LABEL = 1e-4
POWERS = torch.linspace(math.log(0.05), math.log(3.0), 400, dtype=torch.float64).exp()
LEAST_ERROR = 1e-9


class Gain(NamedTuple):
    """What more labels are expected to bring.

    Attributes:
        expected: Mean over the curves that fit.
        low: Lower end of the central interval.
        high: Upper end.
    """

    expected: float
    low: float
    high: float


def build(
    *, threshold: float | None = None, batch: int | None = None, least_rounds: int = 5, level: float = 0.9
) -> Rule:
    """Returns the rule.

    Args:
        threshold: Gain of the metric per unit of cost; per label where rounds have no cost. One point of
            accuracy for a hundred labels, or for what they cost on average, where None: so a rule that is
            not told what a point is worth says the same in every currency.
        batch: Labels of the next round; as many as in the last one where None.
        least_rounds: Rounds with an accuracy, at least 4.
        level: Of the interval.
    """
    if threshold is not None and not 0 < threshold < float("inf"):
        raise InvalidOption(f"threshold is {threshold!r}; a positive gain per unit of cost is expected.")
    if batch is not None:
        check_count("batch", batch)
    check_count("least_rounds", least_rounds, 4)
    if not 0 < level < 1:
        raise InvalidOption(f"level is {level!r}; a number between 0 and 1 is expected.")
    return partial(judge, threshold=threshold, batch=batch, least_rounds=least_rounds, level=level)


def judge(
    history: History, *, threshold: float | None, batch: int | None, least_rounds: int, level: float
) -> Verdict:
    """Compares the expected gain per cost with the threshold."""
    unit = "unit of cost" if _has_costs(history) else "label"
    price = _cost_of_a_label(history)
    asked = threshold if threshold is not None else PER_LABEL / price if price > 0 else PER_LABEL
    rule = f"Stop when the next batch is expected to bring less than {asked:g} per {unit}{_why(threshold)}."
    found = [
        (r.n_labels, r.accuracy, r.standard_error)
        for r in history.rounds
        if r.accuracy is not None and r.n_labels > 0
    ]
    different = len({labels for labels, _, _ in found})
    if different < least_rounds:
        return not_enough(rule, f"not enough rounds, {different} of {least_rounds} have an accuracy", asked)
    if any(error == 0 for _, _, error in found):
        return not_enough(rule, "a standard error of 0 is no measurement, leave it out", asked)
    labels = batch or max(history.rounds[-1].n_labels - history.rounds[-2].n_labels, 1)
    cost = labels * price
    if not cost > 0:
        return not_enough(rule, "labels have cost nothing so far", asked)
    gain = expected_gain(measured(found), labels, level)
    value = gain.expected / cost
    reason = (
        f"{rule} {labels} labels are expected to bring {gain.expected:.4f} ({level:.0%} interval "
        f"{gain.low:.4f} to {gain.high:.4f}) for {cost:g}: {value:.3g} per {unit}."
    )
    return Verdict(value < asked, reason, value, asked)


def _why(threshold: float | None) -> str:
    return "" if threshold is not None else f", {100 * PER_LABEL:g} for 100 labels"


def expected_gain(points: Measured, labels: int, level: float) -> Gain:
    """Computes the gain of so many labels after the last point, as a mixture over the powers."""
    last = float(points.labels_R.max())
    line = _lines(points, _errors(points, last), last)
    gap_P = -line.slope
    weights_P = (-(line.chi_squared + (gap_P.clamp_max(0) / line.slope_error) ** 2) / 2).softmax(0)
    won_P = 1 - (1 + labels / last) ** -POWERS
    return _mixture(weights_P, gap_P * won_P, line.slope_error * won_P, level)


def _lines(points: Measured, errors_R: Tensor, last: float) -> Line:
    """Fits accuracy = a − b · (n/last)^(−c) for every c; minus the slope is b, the gap left at ``last``."""
    return weighted_line((points.labels_R / last) ** -POWERS[:, None], points.values_R, errors_R)


def _errors(points: Measured, last: float) -> Tensor:
    """Takes the scatter around the best curve where no errors are given; three numbers are fitted."""
    if points.errors_R is not None:
        return points.errors_R
    ones_R = torch.ones_like(points.values_R)
    least = float(_lines(points, ones_R, last).chi_squared.min())
    return torch.full_like(ones_R, max((least / (len(ones_R) - 3)) ** 0.5, LEAST_ERROR))


def _mixture(weights_P: Tensor, mean_P: Tensor, error_P: Tensor, level: float) -> Gain:
    """Computes mean and central interval of normals that are cut off below 0."""
    start_P = (mean_P / error_P).clamp_min(-1000.0)
    log_above_P = torch.special.log_ndtr(start_P)
    from_cut_P = torch.exp(-(start_P**2) / 2 - math.log(2 * math.pi) / 2 - log_above_P)
    expected = float((weights_P * error_P * (start_P + from_cut_P)).sum())

    def survival(gain: float) -> float:
        log_beyond_P = torch.special.log_ndtr(start_P - gain / error_P)
        return float((weights_P * (log_beyond_P - log_above_P).exp()).sum())

    farthest = float((error_P * (start_P.clamp_min(0) + 12)).max())
    return Gain(
        expected,
        _where(survival, (1 + level) / 2, farthest),
        _where(survival, (1 - level) / 2, farthest),
    )


def _where(survival: Callable[[float], float], share: float, farthest: float) -> float:
    """Finds by halving the gain that is exceeded with a chance of ``share``."""
    low, high = 0.0, farthest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if survival(middle) > share else (low, middle)
    return (low + high) / 2


def _has_costs(history: History) -> bool:
    return len([r for r in history.rounds if r.cost is not None]) >= 2


def _cost_of_a_label(history: History) -> float:
    """Computes the mean cost of a label over the rounds with a cost; 1 where there are none."""
    if not _has_costs(history):
        return 1.0
    known = [(r.n_labels, r.cost) for r in history.rounds if r.cost is not None]
    (first_labels, first_cost), (last_labels, last_cost) = known[0], known[-1]
    return (last_cost - first_cost) / max(last_labels - first_labels, 1)
