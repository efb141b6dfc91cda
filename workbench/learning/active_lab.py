"""ActiveLab (Goh and Mueller 2023, https://arxiv.org/abs/2301.11856): one more opinion, or a new item?

The score of a labeled item is how sure its label is, from everybody's answers and the model's prediction,
weighted by how right each seems to be; of an unlabeled one, how sure the prediction is. Both are drawn
towards ``1 / C`` by the weight of one more answer, so they are comparable. Here larger is more wanted: one
minus the library's score, between 0 and 1. Cost: N·M for N items and M annotators.
"""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import ConfigProblem

#: What one person said of an item: a class by annotator.
Votes = Mapping[str, str]


class Wanted(NamedTuple):
    """How much one more answer is wanted; the larger the more, on one scale."""

    labeled_L: NDArray[np.float64]
    unlabeled_U: NDArray[np.float64]


def check_active_lab() -> None:
    """Refuse a configuration whose library is not installed.

    Raises:
        ConfigProblem: It is not.
    """
    if find_spec("cleanlab") is None:
        raise ConfigProblem(
            '[annotators] relabel = "active_lab" needs the package cleanlab, which is not installed. '
            "Type `pip install 'active-labeling-workbench[consensus]'`, or set relabel = \"off\"."
        )


def wanted_answers(
    votes_L: Sequence[Votes],
    probabilities_L_C: NDArray[Any],
    probabilities_U_C: NDArray[Any],
    classes: Sequence[str],
) -> Wanted:
    """Score labeled and unlabeled items on one scale.

    Args:
        votes_L: The answers that each labeled item has, at least one.
        probabilities_L_C: What the model predicts for them.
        probabilities_U_C: What it predicts for the unlabeled ones.
        classes: In the order of the predictions.
    """
    from cleanlab.multiannotator import get_active_learning_scores

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        # It warns of annotators that never agree, which is no news to whoever asks for more opinions, and
        # prints advice for another use of its numbers; our standard output is for data.
        warnings.simplefilter("ignore")
        sure_L, sure_U = get_active_learning_scores(
            _table(votes_L, classes), _checked(probabilities_L_C), _checked(probabilities_U_C)
        )
    return Wanted(1.0 - np.asarray(sure_L), 1.0 - np.asarray(sure_U))


def _table(votes_L: Sequence[Votes], classes: Sequence[str]) -> NDArray[np.float64]:
    """Numbers of classes by item and annotator, with nothing where somebody was not asked."""
    people = sorted({name for votes in votes_L for name in votes})
    table_L_M = np.full((len(votes_L), len(people)), np.nan)
    for row, votes in enumerate(votes_L):
        for name, label in votes.items():
            table_L_M[row, people.index(name)] = classes.index(label)
    return table_L_M


def _checked(probabilities_N_C: NDArray[Any]) -> NDArray[np.float64]:
    """In double precision, summing to one as closely as the library wants it."""
    exact_N_C = np.asarray(probabilities_N_C, np.float64)
    summed: NDArray[np.float64] = exact_N_C / exact_N_C.sum(1, keepdims=True)
    return summed
