"""Isotonic: a rising curve over the probability of each class against the rest, normalised over them.

Formula: g_c = the non-decreasing function of p_c of least squared error, linear between its corners, p' = g
/ Σ g, of the mean prediction p. N held-out items can not show a probability below 1/(N + 2), so the curves
stay within 1/(N + 2) and 1 − 1/(N + 2), and no class becomes impossible. The samples follow their mean, see
``moving``: one item's samples are calibrated together. Cost: O(C·N log N); needs scikit-learn.
When to use: a thousand held-out labels or more and a bent reliability curve; with fewer it overfits.
What to tune: nothing. Source: Zadrozny and Elkan 2002, https://doi.org/10.1145/775047.775151.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from acquisition.calibration.held_out import HeldOut, log_mean
from acquisition.calibration.moving import moved
from acquisition.calibration.one_vs_rest import normalised

TENSORS = ("class_K", "value_K", "where_K")


def build() -> Callable[[HeldOut], dict[str, Tensor]]:
    """Returns the fitter; it has no options."""
    return fit


def fit(items: HeldOut) -> dict[str, Tensor]:
    """Finds the corners of each class's curve; all curves' corners lie one after the other."""
    probs_N_C = items.log_mean_N_C.exp().cpu()
    targets_N = items.targets_N.cpu()
    curves = [_corners(probs_N_C[:, c], (targets_N == c).double()) for c in range(probs_N_C.shape[1])]
    sizes_C = torch.tensor([len(where) for where, _ in curves])
    return {
        "class_K": torch.arange(len(curves)).repeat_interleave(sizes_C),
        "value_K": torch.cat([value for _, value in curves]),
        "where_K": torch.cat([where for where, _ in curves]),
    }


def apply(tensors: Mapping[str, Tensor], log_probs_T_N_C: Tensor) -> Tensor:
    """Computes the calibrated mean and moves the samples to it."""
    probs_N_C = log_mean(log_probs_T_N_C).exp()
    curves = []
    for c, probs_N in enumerate(probs_N_C.unbind(1)):
        own_K = tensors["class_K"] == c
        curves.append(_interpolated(probs_N, tensors["where_K"][own_K], tensors["value_K"][own_K]))
    return moved(log_probs_T_N_C, normalised(torch.stack(curves, 1).log()))


def _corners(probs_N: Tensor, is_class_N: Tensor) -> tuple[Tensor, Tensor]:
    from sklearn.isotonic import IsotonicRegression  # late: half a second that most callers do not need

    least = 1 / (len(probs_N) + 2)
    curve = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    curve.fit(probs_N.numpy(), is_class_N.numpy())
    return torch.from_numpy(curve.X_thresholds_).double(), torch.from_numpy(curve.y_thresholds_).double()


def _interpolated(probs_N: Tensor, where_K: Tensor, value_K: Tensor) -> Tensor:
    """Interpolates linearly between corners; the curve is level outside them."""
    inside_N = probs_N.clamp(where_K[0], where_K[-1])
    right_N = torch.searchsorted(where_K, inside_N.contiguous()).clamp(1, max(len(where_K) - 1, 1))
    right_N = right_N.clamp_max(len(where_K) - 1)
    left_N = (right_N - 1).clamp_min(0)
    width_N = (where_K[right_N] - where_K[left_N]).clamp_min(torch.finfo(torch.float64).tiny)
    share_N = ((inside_N - where_K[left_N]) / width_N).clamp(0.0, 1.0)
    return torch.lerp(value_K[left_N], value_K[right_N], share_N)
