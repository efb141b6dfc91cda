"""A batch chosen from candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from torch import Tensor

from acquisition.catalog import build, needs
from acquisition.checks import check_count, check_features, check_log_probs, check_scores, check_seed
from acquisition.disagreement import refuse_one_network
from acquisition.errors import InvalidInput
from acquisition.predictions import Gaussians
from acquisition.scoring import score
from acquisition.types import Candidates, Selection, Selector


def select(
    name: str,
    candidates: Tensor | Candidates,
    batch_size: int,
    seed: int = 0,
    *,
    function: str = "bald",
    **options: Any,
) -> Selection:
    """Chooses a batch.

    Args:
        name: A selector of ``catalog()``.
        candidates: log_probs_T_N_C, or a ``Candidates`` with what the selector needs.
        batch_size: How many different candidates to choose, at most N.
        seed: For selectors that draw random numbers; the same seed gives the same batch.
        function: Scores log-probabilities where the selector needs scores and none are given.
        **options: The selector's own options.

    Returns:
        Positions in the candidates in order of choice, and what each was worth.

    Raises:
        UnknownMethod: There is no such selector or function.
        InvalidOption: The selector does not take an option.
        InvalidInput: The candidates lack what the selector needs, or are fewer than ``batch_size``.
    """
    selector = cast(Selector, build("selectors", name, options))
    check_count("batch_size", batch_size)
    check_seed(seed)
    needed = needs("selectors", name, options)
    complete = _complete(name, candidates, partial(_scored, function, seed), needed)
    if batch_size > _size(complete):
        raise InvalidInput(f"{batch_size} items were asked for, only {_size(complete)} candidates are there.")
    return selector(complete, batch_size, seed=seed)


def _complete(
    name: str, candidates: Tensor | Candidates, scored: Callable[[Candidates], Tensor], needed: frozenset[str]
) -> Candidates:
    if isinstance(candidates, Gaussians):
        raise InvalidInput(
            "Predictions of numbers are chosen from by their scores: "
            'Candidates(scores_N=acquisition.score("bald", predictions)).'
        )
    given = candidates if isinstance(candidates, Candidates) else Candidates(log_probs_T_N_C=candidates)
    if "scores" in needed and given.scores_N is None and given.log_probs_T_N_C is not None:
        given = replace(given, scores_N=scored(given))
    for need, tensor in _tensors(given).items():
        if need in needed and tensor is None:
            raise InvalidInput(f"{name!r} needs {need} of the candidates: Candidates({_FIELDS[need]}=…).")
    _check(given, needed)
    return given


def _scored(function: str, seed: int, given: Candidates) -> Tensor:
    """Scores candidates for a selector that needs it."""
    assert given.log_probs_T_N_C is not None
    needed = needs("functions", function)
    if "samples" in needed and len(given.log_probs_T_N_C) < 2:
        refuse_one_network(function)
    at_hand = {"seed": seed, "features": given.features_N_D, "labeled": given.labeled_M_D}
    options = {name: value for name, value in at_hand.items() if name in needed and value is not None}
    return score(function, given.log_probs_T_N_C, **options)


def _check(given: Candidates, needed: frozenset[str]) -> None:
    if given.scores_N is not None:
        check_scores(given.scores_N)
    if given.log_probs_T_N_C is not None and "log_probs" in needed:
        check_log_probs(given.log_probs_T_N_C)
    features, labeled = given.features_N_D, given.labeled_M_D
    check_features("features", features)
    check_features("labeled features", labeled)
    if features is not None and labeled is not None and features.shape[1:] != labeled.shape[1:]:
        raise InvalidInput(
            f"A row of features_N_D has the shape {list(features.shape[1:])}, one of labeled_M_D "
            f"{list(labeled.shape[1:])}: the same embedding is expected for both."
        )
    if given.groups_N is not None and (given.groups_N.dim() != 1 or given.groups_N.is_floating_point()):
        raise InvalidInput("groups_N is to hold one integer per candidate.")


_FIELDS = {
    "scores": "scores_N",
    "log_probs": "log_probs_T_N_C",
    "features": "features_N_D",
    "groups": "groups_N",
}


def _tensors(candidates: Candidates) -> dict[str, Tensor | None]:
    return {need: getattr(candidates, field) for need, field in _FIELDS.items()}


def _size(candidates: Candidates) -> int:
    sizes = {_rows(need, tensor) for need, tensor in _tensors(candidates).items() if tensor is not None}
    if len(sizes) != 1:
        raise InvalidInput(f"The candidates' tensors have different numbers of rows: {sorted(sizes)}.")
    return sizes.pop()


def _rows(need: str, tensor: Tensor) -> int:
    rows = tensor.shape[1:2] if need == "log_probs" else tensor.shape[:1]
    if not rows:
        raise InvalidInput(f"{_FIELDS[need]} has no dimension of items: its shape is {list(tensor.shape)}.")
    return rows[0]
