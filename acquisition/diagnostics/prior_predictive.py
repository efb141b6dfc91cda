"""What networks believe before they saw a label: their initial weights are the prior.

A prior that is certain, or that gives every item of a network one class, has to be unlearned by labels.
Source: Gabry et al. 2019, https://arxiv.org/abs/1709.01449; Wilson and Izmailov 2020,
https://arxiv.org/abs/2002.08791.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from acquisition.checks import check_count, check_items, check_raw
from acquisition.errors import InvalidInput
from acquisition.numerics import entropy, expected_entropy, log_softmax
from acquisition.randomness import derived_seed
from acquisition.training import made
from acquisition.types import ModuleFactory

SURE = 0.99
MOST_SATURATED = 0.1
MOST_OF_ONE_CLASS = 0.95
MOST_LOPSIDED = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorPredictive:
    """Predictions of untrained networks.

    Attributes:
        n_samples: Networks.
        n_items: Items.
        class_shares: How often each class is the likeliest, over all networks and items.
        mean_entropy_share: Mean entropy of a network's prediction divided by ln C; 1 is undecided.
        saturated_share: Predictions with a confidence above 0.99.
        one_class_share: The share of items that a network gives its own favourite class, on average.
        mutual_information: Mean disagreement between the networks, in nats.
        healthy: Whether nothing stands out.
        verdict: The finding in words.
    """

    n_samples: int
    n_items: int
    class_shares: tuple[float, ...]
    mean_entropy_share: float
    saturated_share: float
    one_class_share: float
    mutual_information: float
    healthy: bool
    verdict: str


def prior_predictive(
    module_factory: ModuleFactory, inputs: Tensor, n_samples: int = 20, seed: int = 0
) -> PriorPredictive:
    """Measures what untrained networks predict, in evaluation mode; the global random state stays as it was.

    Args:
        module_factory: Makes a new classifier, as for ``fit``.
        inputs: Items, prepared as for training: most findings are inputs of the wrong scale.
        n_samples: Networks. Cost: one pass of each over the items.
        seed: Of the initial weights.

    Raises:
        InvalidInput: No items, or the networks do not return class scores (logits).
        NotFinite: NaN or infinity in items or outputs.
    """
    check_count("n_samples", n_samples)
    if not isinstance(inputs, Tensor) or inputs.dim() < 1 or not len(inputs):
        raise InvalidInput("There are no items: a tensor with one item per row is needed.")
    check_items(inputs)
    logits = [_outputs(module_factory, inputs, derived_seed(seed, t)) for t in range(n_samples)]
    return _measured(log_softmax(torch.stack(logits)).double())


def _outputs(module_factory: ModuleFactory, inputs: Tensor, seed: int) -> Tensor:
    module = made(module_factory, seed).eval()
    try:
        with torch.inference_mode():
            logits_N_C: Tensor = module(inputs)
    except (RuntimeError, TypeError, IndexError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InvalidInput(
            f"The model can not take items of shape {list(inputs.shape[1:])} and type {inputs.dtype}: "
            f"{first_line}"
        ) from error
    check_raw("classification", logits_N_C.unsqueeze(0), len(inputs), 0)
    return logits_N_C


def _measured(log_probs_T_N_C: Tensor) -> PriorPredictive:
    probs_T_N_C = log_probs_T_N_C.exp()
    confidence_T_N, predicted_T_N = probs_T_N_C.max(-1)
    n_samples, n_items, n_classes = probs_T_N_C.shape
    counts_T_C = torch.stack([row_N.bincount(minlength=n_classes) for row_N in predicted_T_N]).double()
    expected_N = expected_entropy(log_probs_T_N_C, probs_T_N_C)
    class_shares = tuple((counts_T_C.sum(0) / counts_T_C.sum()).tolist())
    saturated = float((confidence_T_N > SURE).double().mean())
    one_class = float((counts_T_C.max(1).values / n_items).mean())
    findings = _findings(saturated, one_class if n_items > 1 else 0.0, max(class_shares), n_samples)
    return PriorPredictive(
        n_samples=n_samples,
        n_items=n_items,
        class_shares=class_shares,
        mean_entropy_share=float(expected_N.mean()) / math.log(n_classes),
        saturated_share=saturated,
        one_class_share=one_class,
        mutual_information=float((entropy(probs_T_N_C.mean(0)) - expected_N).mean().clamp_min(0)),
        healthy=not findings,
        verdict=" ".join(findings) or "Untrained networks are undecided and treat items differently.",
    )


def _findings(saturated: float, one_class: float, favourite: float, n_samples: int) -> list[str]:
    findings = []
    if saturated > MOST_SATURATED:
        findings.append(
            f"{saturated:.0%} of the predictions are sure (above {SURE:.0%}) before any training: scale the "
            "inputs to about unit variance, or make the initial weights smaller."
        )
    if one_class > MOST_OF_ONE_CLASS:
        findings.append(
            f"Each network gives {one_class:.0%} of the items one class: they look alike to it. Take the "
            "mean off the inputs, or look for a large bias."
        )
    if n_samples > 1 and favourite > MOST_LOPSIDED:
        findings.append(
            f"All networks together favour one class ({favourite:.0%}): the last layer's bias is no accident "
            "of the initial weights."
        )
    return findings
