"""Scores of predictions that are at hand already."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from acquisition.catalog import build, needs
from acquisition.checks import check_log_probs, check_scores
from acquisition.numerics import summarize
from acquisition.types import Function, Predictions


def score(name: str, log_probs_T_N_C: Tensor, **options: Any) -> Tensor:
    """Computes an acquisition function.

    Args:
        name: A function of ``catalog()``.
        log_probs_T_N_C: Log-probabilities in float32 or float64; minus infinity is log(0).
        **options: The function's own options.

    Returns:
        scores_N, larger is more wanted.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The function does not take an option.
        InvalidInput: The tensor is no table of log-probabilities.
    """
    function = cast(Function, build("functions", name, options))
    check_log_probs(log_probs_T_N_C)
    rows_N = torch.arange(log_probs_T_N_C.shape[1])
    return function(summarize(log_probs_T_N_C, rows_N))


def seeded_function(name: str, seed: int) -> Function:
    """Builds a function with its default options; one that needs a seed gets this one."""
    options = {"seed": seed} if "seed" in needs("functions", name) else {}
    return cast(Function, build("functions", name, options))


def checked_scores(function: Function, predictions: Predictions) -> Tensor:
    """Applies a function that may be a stranger's and refuses what are no scores."""
    scores_N = function(predictions)
    check_scores(scores_N)
    return scores_N
