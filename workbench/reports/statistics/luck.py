"""How much of a difference between two arms may be luck: of the batches that were drawn, and of the training.

Other held-out items are one thing that could have been otherwise (``bootstrap``); other batches and another
training are the second. A project has one run of each arm, so this luck is read off how the difference of the
curves jumps around a smooth line. Models of n and of m > n labels share n of them: if luck is the mean of
what each label brings, its correlation is √(n / m), a process that forgets with the logarithm of the labels
(Ornstein and Uhlenbeck 1930, https://doi.org/10.1103/PhysRev.36.823); the training adds jumps of each
model's own. How large both are is not known: every pair of sizes on a grid counts as much as it explains the
difference (restricted likelihood, Patterson and Thompson 1971, https://doi.org/10.1093/biomet/58.3.545). Luck
that lasts as long as the project can not be told from an effect: only its shape above says how large it is.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from workbench.reports.statistics.bootstrap import Bounds, Floats

#: Standard deviations of lasting luck and of jumps, of one arm, that are tried.
LASTING = 0.0005 * 2.0 ** np.arange(8)
JUMPS = np.array([0.0, *LASTING])
#: How large each is thought to be before anything is seen: half-Cauchy, in shares of items.
USUAL_LASTING, USUAL_JUMP = 0.015, 0.003
#: Correlation of luck that lasts: exp(−RATE · |ln n − ln m|).
RATE = 0.5
#: Rounds that are looked at: of more, evenly chosen ones.
MOST_ROUNDS = 40
#: Powers of the logarithm of the labels that make the smooth line, where there are rounds enough.
MOST_POWERS = 3
TINY = 1e-10
#: Of the range in which an interval's half lies: to 1e-15 of it.
HALVINGS = 50


class Luck(NamedTuple):
    """Variances that luck may have in a weighted mean of the difference, and how likely each is."""

    variance_P: Floats
    share_P: Floats


def luck_of(labels_R: Floats, gap_R: Floats, covariance_R_R: Floats, weight_R: Floats) -> Luck:
    """Weigh every size of luck by how well it explains the difference of two arms.

    Args:
        labels_R: Rising.
        gap_R: Accuracy of the one arm minus that of the other.
        covariance_R_R: Of its sampling errors: what other held-out items would have changed.
        weight_R: Of the mean that is asked for; they sum to 1.
    """
    log_R = np.log(labels_R)
    line_R_K = (log_R - log_R.mean())[:, None] ** np.arange(np.clip(len(log_R) - 2, 1, MOST_POWERS))
    # Both arms have luck, each its own.
    lasting_R_R = 2 * np.exp(-RATE * np.abs(log_R[:, None] - log_R))
    own_R_R = 2 * np.eye(len(log_R))
    found = []
    for lasting in LASTING:
        for jump in JUMPS:
            luck_R_R = lasting**2 * lasting_R_R + jump**2 * own_R_R
            whole_R_R = covariance_R_R + luck_R_R + TINY * np.eye(len(log_R))
            log_share = _explained(gap_R, line_R_K, whole_R_R) + _prior(lasting, jump)
            found.append((weight_R @ luck_R_R @ weight_R, log_share))
    variance_P, log_share_P = np.array(found).T
    share_P = np.exp(log_share_P - log_share_P.max())
    return Luck(variance_P, share_P / share_P.sum())


def _explained(gap_R: Floats, line_R_K: Floats, whole_R_R: Floats) -> float:
    """The restricted log-likelihood: of what a smooth line does not explain."""
    factor = cho_factor(whole_R_R, lower=True, check_finite=False)
    white_R_K = cho_solve(factor, line_R_K, check_finite=False)
    inner_K_K = line_R_K.T @ white_R_K
    pull_K = white_R_K.T @ gap_R
    left = gap_R @ cho_solve(factor, gap_R, check_finite=False) - pull_K @ np.linalg.solve(inner_K_K, pull_K)
    determinants = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(inner_K_K)[1]
    return -float(left + determinants) / 2


def _prior(lasting: float, jump: float) -> float:
    """Half-Cauchy for both, on grids of equal steps in the logarithm."""
    first = np.log(lasting) - np.log1p((lasting / USUAL_LASTING) ** 2)
    step = max(jump, float(LASTING[0]) / 2)
    return float(first + np.log(step) - np.log1p((jump / USUAL_JUMP) ** 2))


def with_luck(value: float, variance: float, luck: Luck, level: float) -> Bounds:
    """The interval of a mean whose sampling variance is known, with luck of every size that is likely."""
    error_P = np.sqrt(variance + luck.variance_P)

    low, high = 0.0, 10 / (1 - level) * float(error_P.max())
    for _ in range(HALVINGS):
        reach = (low + high) / 2
        outside = 2 * (luck.share_P * ndtr(-reach / error_P)).sum()
        low, high = (reach, high) if outside > 1 - level else (low, reach)
    return Bounds(value - high, value + high)


def thinned(labels_R: Floats) -> Floats:
    """Numbers of labels of not too many rounds, first and last included."""
    if len(labels_R) <= MOST_ROUNDS:
        return labels_R
    places = np.unique(np.linspace(0, len(labels_R) - 1, MOST_ROUNDS).round().astype(int))
    return np.asarray(labels_R[places])
