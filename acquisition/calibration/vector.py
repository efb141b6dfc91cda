"""Vector: scales and shifts the log-probability of every class, so that each class fits the held-out labels.

Formula: p' ∝ exp(w_c ln p_c + b_c) for each sample; w and b minimise the negative log-likelihood of the
mean of the T mapped samples, with a normal prior on w around 1 and on b around 0 (L-BFGS in float64).
Log-probabilities below −700, where float64 ends, count as −700. Cost: about 50 passes of O(T·N·C).
When to use: some classes are over-confident and others not, and some 20 labels of each class are held out;
it may change which class is likeliest. What to tune: ``prior_sd``, smaller where labels are few.
Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599, there on logits in place of log-probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from acquisition.calibration.held_out import HeldOut, log_mean
from acquisition.calibration.prior import check_prior_sd, refuse_impossible

TENSORS = ("bias_C", "weight_C")
LEAST_LOG = -700.0


def build(*, prior_sd: float = 1.0) -> Callable[[HeldOut], dict[str, Tensor]]:
    """Returns the fitter.

    Args:
        prior_sd: Standard deviation of each weight around 1 and each bias around 0; infinity for none.

    Raises:
        InvalidOption: ``prior_sd`` is not positive.
    """
    check_prior_sd(prior_sd)
    return partial(fit, prior_sd=prior_sd)


def fit(items: HeldOut, *, prior_sd: float) -> dict[str, Tensor]:
    """Finds the weights and biases, also for a caller who turned gradients off."""
    refuse_impossible(items)
    with torch.inference_mode(False), torch.enable_grad():
        change_2_C = _found(HeldOut(*(tensor.clone() for tensor in items)), prior_sd)
    return {"bias_C": change_2_C[1].clone(), "weight_C": 1 + change_2_C[0]}


def _found(items: HeldOut, prior_sd: float) -> Tensor:
    """Minimises over what is added to weights of one and biases of zero."""
    n_items, n_classes = items.log_probs_T_N_C.shape[1:]
    zeros = torch.zeros(2, n_classes, dtype=torch.float64, device=items.targets_N.device)
    change_2_C = zeros.requires_grad_()
    optimizer = torch.optim.LBFGS(
        [change_2_C], max_iter=200, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        mapped_T_N_C = _mapped(1 + change_2_C[0], change_2_C[1], items.log_probs_T_N_C)
        penalty = 0.5 * (change_2_C / prior_sd).square().sum() / n_items
        value = penalty - log_mean(items.of_targets(mapped_T_N_C)).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return change_2_C.detach()


def apply(tensors: Mapping[str, Tensor], log_probs_T_N_C: Tensor) -> Tensor:
    """Computes the mapped log-probabilities of each sample."""
    return _mapped(tensors["weight_C"], tensors["bias_C"], log_probs_T_N_C)


def _mapped(weight_C: Tensor, bias_C: Tensor, log_probs_T_N_C: Tensor) -> Tensor:
    return (log_probs_T_N_C.clamp_min(LEAST_LOG) * weight_C + bias_C).log_softmax(-1)
