"""Scores of predictions that are at hand already."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from acquisition.catalog import build, method, needs
from acquisition.checks import check_features, check_outputs, check_scores
from acquisition.errors import InvalidInput
from acquisition.predictions import AnyPredictions, Gaussians, Outputs, n_items, summarize, summed
from acquisition.types import Function

DEFAULT_TASKS = ("classification", "multilabel")


def score(name: str, log_probs_T_N_C: Outputs, **options: Any) -> Tensor:
    """Computes an acquisition function.

    Args:
        name: A function of ``catalog()``.
        log_probs_T_N_C: Log-probabilities in float32 or float64, where minus infinity is log(0);
            log_probs_T_N_L_2 of L independent labels, whose scores are added up; or ``Gaussians``.
        **options: The function's own options; ``features``, the items' features_N_D, for those that look at
            embeddings.

    Returns:
        scores_N, larger is more wanted.

    Raises:
        UnknownMethod: There is no such function.
        InvalidOption: The function does not take an option.
        InvalidInput: The tensors are no predictions, or not what the function is for.
    """
    given = dict(options)
    features_N_D = given.pop("features", None) if "features" in needs("functions", name) else None
    function = cast(Function, build("functions", name, given))
    check_outputs(log_probs_T_N_C)
    check_features("features", features_N_D)
    if "features" in needs("functions", name) and features_N_D is None:
        raise InvalidInput(f"{name!r} looks at the items' embeddings: give features=features_N_D.")
    rows_N = torch.arange(n_items(log_probs_T_N_C))
    if features_N_D is not None and len(features_N_D) != len(rows_N):
        raise InvalidInput(
            f"There are predictions of {len(rows_N)} items and features of {len(features_N_D)}."
        )
    return applied(name, function, log_probs_T_N_C, rows_N, features_N_D)


def applied(
    name: str, function: Function, outputs: Outputs, rows_N: Tensor, features_N_D: Tensor | None = None
) -> Tensor:
    """Applies a built function, which may be a stranger's, and refuses what are no scores."""
    refuse_other_task(name, outputs)
    if "log_probs" not in needs("functions", name):
        scores_N = function(Bare(rows_N, features_N_D))
    else:
        scores_N = summed(function(summarize(outputs, rows_N, features_N_D)), outputs)
    check_scores(scores_N)
    return scores_N


class Bare:
    """What a function gets that looks at no prediction: one row per item, also where labels are several."""

    def __init__(self, rows_N: Tensor, features_N_D: Tensor | None) -> None:
        self.rows_N = rows_N
        self.features_N_D = features_N_D


def score_summary(function: Function, predictions: AnyPredictions, outputs: Outputs) -> Tensor:
    """Applies a built function to predictions that are wrapped already."""
    scores_N = summed(function(predictions), outputs)
    check_scores(scores_N)
    return scores_N


def refuse_other_task(name: str, outputs: Outputs) -> None:
    """Raises ``InvalidInput`` where a function is not for this kind of prediction."""
    refuse_task(name, kind_of(outputs))


def refuse_task(name: str, found: str) -> None:
    """Raises ``InvalidInput`` where a function is not for this task."""
    known = getattr(method("functions", name), "TASKS", DEFAULT_TASKS)
    if found not in known:
        raise InvalidInput(f"{name!r} is for {' and '.join(known)}; these are predictions of {found}.")


def kind_of(outputs: Outputs) -> str:
    """Names the task that predictions are of."""
    if isinstance(outputs, Gaussians):
        return "regression"
    return "classification" if outputs.dim() == 3 else "multilabel"
