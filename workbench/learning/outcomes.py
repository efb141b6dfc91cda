"""What a model says of items whose class is known: a few numbers an item, whatever samples and classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from acquisition.predictions import Predictions
from workbench.domain.errors import ModelProblem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """Predictions of N items by the mean over the posterior's samples, beside the truth.

    Attributes:
        target_N: Numbers of the true classes.
        predicted_N: Numbers of the likeliest classes.
        confidence_N: Probabilities of the likeliest classes.
        true_probability_N: Probabilities of the true classes.
        squared_error_N: Σ_c (p_c − 1[c is true])², Brier's score of each item; 0 ≤ it ≤ 2.
        entropy_N: Of the mean prediction, in nats.
        mutual_information_N: Between the label and the model, in nats; 0 ≤ it ≤ entropy.
    """

    target_N: NDArray[Any]
    predicted_N: NDArray[Any]
    confidence_N: NDArray[Any]
    true_probability_N: NDArray[Any]
    squared_error_N: NDArray[Any]
    entropy_N: NDArray[Any]
    mutual_information_N: NDArray[Any]

    def __len__(self) -> int:
        return len(self.target_N)

    @property
    def right_N(self) -> NDArray[np.bool_]:
        """Whether the likeliest class is the true one."""
        right: NDArray[np.bool_] = self.predicted_N == self.target_N
        return right


class _Chunk(NamedTuple):
    """The same of some of the items, as tensors, in the order of the fields above."""

    target_N: Tensor
    predicted_N: Tensor
    confidence_N: Tensor
    true_probability_N: Tensor
    squared_error_N: Tensor
    entropy_N: Tensor
    mutual_information_N: Tensor


def outcomes(chunks: Iterable[Tensor], targets: Sequence[str], classes: Sequence[str]) -> Outcomes:
    """Hold predictions against the truth; memory is one chunk and a few numbers an item.

    Args:
        chunks: log_probs_T_N_C, a stream.
        targets: The true class of each item, in the same order.
        classes: In the order of the last dimension.

    Raises:
        ModelProblem: No items, a target that is no class, or another number of predictions than of targets.
    """
    targets_N = _numbers(targets, classes)
    found: list[_Chunk] = []
    first = 0
    for log_probs_T_N_C in chunks:
        n = log_probs_T_N_C.shape[1]
        if first + n <= len(targets_N):
            found.append(_chunk(log_probs_T_N_C, targets_N[first : first + n]))
        first += n
    if first != len(targets_N):
        raise ModelProblem(f"Found {first} predictions for {len(targets_N)} items; expected one for each.")
    columns = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    return Outcomes(**{field.name: column for field, column in zip(fields(Outcomes), columns, strict=True)})


def _chunk(log_probs_T_N_C: Tensor, targets_N: Tensor) -> _Chunk:
    said = Predictions(log_probs_T_N_C, torch.arange(0))
    probs_N_C = said.mean_probs_N_C
    target_N = targets_N.to(probs_N_C.device)
    confidence_N, predicted_N = probs_N_C.max(-1)
    true_N = probs_N_C.gather(-1, target_N[:, None]).squeeze(-1)
    squared_N = ((probs_N_C - one_hot(target_N, probs_N_C.shape[-1])) ** 2).sum(-1)
    information_N = torch.minimum(said.mutual_information_N, said.predictive_entropy_N)
    return _Chunk(
        target_N, predicted_N, confidence_N, true_N, squared_N, said.predictive_entropy_N, information_N
    )


def _numbers(targets: Sequence[str], classes: Sequence[str]) -> Tensor:
    numbers = {name: number for number, name in enumerate(classes)}
    strangers = sorted(set(targets) - numbers.keys())
    if strangers:
        raise ModelProblem(
            f"Found items with the true class {strangers[0]!r}; the classes are {', '.join(classes)}. "
            "Add the class to workbench.toml, or take these items out of the held-out split."
        )
    if not targets:
        raise ModelProblem("Found no items to measure on; expected a held-out split with known classes.")
    return torch.tensor([numbers[target] for target in targets])
