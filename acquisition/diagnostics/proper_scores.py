"""How good predicted classes and their probabilities are: accuracy, Brier score, log-likelihood.

All take log_probs_T_N_C, whose mean over T is measured, or log_probs_N_C.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.calibration.held_out import held_out


def accuracy(log_probs: Tensor, targets: Tensor) -> float:
    """Computes the share of items whose likeliest class is theirs; 0 to 1."""
    items = held_out(log_probs, targets)
    return float((items.log_mean_N_C.argmax(-1) == items.targets_N).double().mean())


def negative_log_likelihood(log_probs: Tensor, targets: Tensor) -> float:
    """Computes the mean of −ln p of the items' own classes, in nats; infinite where one has p = 0."""
    items = held_out(log_probs, targets)
    return -float(items.log_mean_N_C.gather(1, items.targets_N[:, None]).mean())


def brier_score(log_probs: Tensor, targets: Tensor) -> float:
    """Computes the mean of Σ_c (p_c − [c is the class])²; 0 is best, 2 worst.

    Source: Brier 1950, in his form of a sum over all classes; with two classes it is twice the form of one.
    """
    items = held_out(log_probs, targets)
    probs_N_C = items.log_mean_N_C.exp()
    truth_N_C = functional.one_hot(items.targets_N, probs_N_C.shape[1]).to(probs_N_C)
    return float(torch.sum((probs_N_C - truth_N_C) ** 2, -1).mean())
