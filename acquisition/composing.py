"""Several scores of the same items made into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from acquisition.catalog import build
from acquisition.checks import check_scores
from acquisition.errors import InvalidInput
from acquisition.types import Composition


def compose(name: str, scores: Mapping[str, Tensor], **options: Any) -> Tensor:
    """Composes scores.

    Args:
        name: A composition of ``catalog()``.
        scores: scores_N of the same items, by names of your choice.
        **options: The composition's own options.

    Returns:
        scores_N, larger is more wanted.

    Raises:
        UnknownMethod: There is no such composition.
        InvalidOption: The composition does not take an option, or not that value.
        InvalidInput: No scores, or scores of different items.
        NotFinite: NaN or infinity in a score.
    """
    composition = cast(Composition, build("compositions", name, options))
    if not isinstance(scores, Mapping):
        raise InvalidInput(f'Expected scores by name, {{"bald": scores_N}}, found {type(scores).__name__}.')
    if not scores:
        raise InvalidInput("There are no scores to compose.")
    for scores_N in scores.values():
        check_scores(scores_N)
    sizes = {key: len(scores_N) for key, scores_N in scores.items()}
    if len(set(sizes.values())) > 1:
        raise InvalidInput(f"The scores are of different numbers of items: {sizes}.")
    scores_N = composition({key: own.float() if own.itemsize < 4 else own for key, own in scores.items()})
    check_scores(scores_N)
    return scores_N
