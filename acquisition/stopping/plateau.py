"""Plateau: stop when the measured accuracy no longer rises, and is known well enough to say so.

Rule: over the last ``window`` rounds a straight line of the accuracy against the labels rises by at most
``errors`` of its standard errors, and by at most ``tolerance`` over the window even at its slope plus so
many errors. A curve that is only noisy is not flat: the second half says "not enough evidence" then. Needs
accuracy in ``window`` rounds, with standard errors or, without them, judged by the scatter around the line.
O(window).
When to use: a test set or random control is at hand. What to tune: ``tolerance``, in the metric's unit.
Source: linear regression; the second half is a test of equivalence as in Schuirmann 1987,
https://doi.org/10.1007/BF01068419.
"""

from __future__ import annotations

from functools import partial

import torch

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.stopping.history import History, Rule, Verdict, not_enough
from acquisition.stopping.weighted_line import Line, Measured, measured, weighted_line


def build(*, window: int = 5, errors: float = 1.0, tolerance: float = 0.02) -> Rule:
    """Returns the rule.

    Args:
        window: Rounds to look at, at least 3.
        errors: How many standard errors count as nothing.
        tolerance: The rise over the window that may be overlooked.
    """
    check_count("window", window, 3)
    if not 0 < errors < float("inf"):
        raise InvalidOption(f"errors is {errors!r}; a positive number of standard errors is expected.")
    if not 0 < tolerance < float("inf"):
        raise InvalidOption(f"tolerance is {tolerance!r}; a positive rise of the metric is expected.")
    return partial(judge, window=window, errors=errors, tolerance=tolerance)


def judge(history: History, *, window: int, errors: float, tolerance: float) -> Verdict:
    """Compares the slope with its standard error, and its upper end with the tolerance."""
    rule = f"Stop when the accuracy of the last {window} rounds rises by at most {errors:g} standard errors."
    found = [
        (r.n_labels, r.accuracy, r.standard_error) for r in history.rounds[-window:] if r.accuracy is not None
    ]
    if len(found) < window:
        return not_enough(rule, f"the accuracy of the last {window} rounds is needed", errors)
    if any(error == 0 for _, _, error in found):
        return not_enough(rule, "a standard error of 0 is no measurement, leave it out", errors)
    points = measured(found)
    span = float(points.labels_R[-1] - points.labels_R[0])
    if span <= 0:
        return not_enough(rule, "no label was added in these rounds", errors)
    line = _line(points)
    rise, error = span * float(line.slope), span * float(line.slope_error)
    in_errors, highest = rise / error, rise + errors * error
    seen = f"It rises by {in_errors:.2f} of them, {rise:+.4f} ± {error:.4f}"
    if in_errors <= errors and highest > tolerance:
        return not_enough(f"{rule} {seen}.", f"it may still be {highest:+.4f}, above {tolerance:g}", errors)
    return Verdict(in_errors <= errors, f"{rule} {seen} over {span:g} labels.", in_errors, errors)


def _line(points: Measured) -> Line:
    """Takes the scatter around the line as the error where none was given."""
    given = torch.ones_like(points.values_R) if points.errors_R is None else points.errors_R
    line = weighted_line(points.labels_R, points.values_R, given)
    if points.errors_R is not None:
        return line
    scatter = max(float(line.chi_squared / (len(given) - 2)) ** 0.5, 1e-9)
    return line._replace(slope_error=line.slope_error * scatter)
