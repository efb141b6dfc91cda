"""Joint labels of a few items, and what each says about T networks: the conditional entropies of BatchBALD.

A configuration is one way to label the items chosen so far. It has a weight, its probability under all
networks together, and a posterior, the T networks' probabilities once these labels are known. With it the
entropy that an item's label still has is H(y | configuration) = H(Σ_t posterior_t p_t(y)), in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acquisition.numerics import BLOCK_COLUMNS, floored_probs, mixture_entropy

#: What the configurations that are left out of an exact table may weigh together.
NEGLIGIBLE = 1e-7
#: Smallest posterior: below it products would leave the range of normal float32.
LEAST_POSTERIOR = 1e-20


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurations:
    """M configurations.

    Attributes:
        weights_M: They sum to one; of drawn ones a few may be just below zero, see ``_balanced``.
        posteriors_M_T: Each row sums to one.
    """

    weights_M: Tensor
    posteriors_M_T: Tensor

    def __len__(self) -> int:
        return len(self.weights_M)


def unlabeled(n_samples: int, device: torch.device) -> Configurations:
    """Returns the one configuration of no labels."""
    return Configurations(
        weights_M=torch.ones(1, device=device, dtype=torch.float32),
        posteriors_M_T=torch.full((1, n_samples), 1 / n_samples, device=device, dtype=torch.float32),
    )


def extended(known: Configurations, log_probs_T_C: Tensor, limit: int) -> Configurations | None:
    """Lists all configurations with one more label; None where more than ``limit`` of them matter."""
    probs_T_C = _probs(log_probs_T_C)
    label_M_C = known.posteriors_M_T @ probs_T_C
    weights_MC = (known.weights_M[:, None] * label_M_C).flatten()
    kept = _that_matter(weights_MC)
    if len(kept) > limit:
        return None
    rows, labels = kept // len(label_M_C[0]), kept % len(label_M_C[0])
    joint = known.posteriors_M_T[rows] * probs_T_C.T[labels]
    weights = weights_MC[kept]
    return Configurations(weights_M=weights / weights.sum(), posteriors_M_T=_normalized(joint))


def _that_matter(weights_MC: Tensor) -> Tensor:
    rising, order = weights_MC.sort()
    return order[rising.double().cumsum(0) > NEGLIGIBLE].sort().values


def _normalized(joint_M_T: Tensor) -> Tensor:
    posteriors_M_T = joint_M_T / joint_M_T.sum(1, keepdim=True)
    return posteriors_M_T.masked_fill_(posteriors_M_T < LEAST_POSTERIOR, 0)


def sampled(log_probs_T_K_C: Tensor, count: int, rng: torch.Generator) -> Configurations:
    """Draws about ``count`` configurations of K items.

    Each network labels the same number of them, and for each item it spreads its labels as evenly as their
    number allows (a Latin hypercube, McKay et al. 1979). The weights are nearly equal: see ``_balanced``.
    """
    n_samples, n_items, _ = log_probs_T_K_C.shape
    each = max(1, count // n_samples)
    scores_M_T = torch.zeros(n_samples * each, n_samples, device=log_probs_T_K_C.device)
    for item in range(n_items):
        log_probs_T_C = log_probs_T_K_C[:, item]
        labels_M = _spread_labels(log_probs_T_C, each, rng)
        scores_M_T += log_probs_T_C.float().clamp_min(-1e4).T[labels_M]
    posteriors_M_T = torch.softmax(scores_M_T, 1)
    posteriors_M_T.masked_fill_(posteriors_M_T < LEAST_POSTERIOR, 0)
    return Configurations(weights_M=_balanced(posteriors_M_T), posteriors_M_T=posteriors_M_T)


def _balanced(posteriors_M_T: Tensor) -> Tensor:
    """Computes weights under which the mean posterior is the prior, 1/T, as it is over all configurations.

    This is the regression estimator (Cochran 1977, Sampling Techniques, ch. 7) with the posteriors, whose
    mean is known, as covariates. A third to two thirds of the noise in what tells items apart are left, as
    with two to ten times the draws. The ridge, which goes to nothing, keeps it steady where draws are few.
    """
    count, n_samples = posteriors_M_T.shape
    mean_T = posteriors_M_T.mean(0)
    deviations_M_T = posteriors_M_T - mean_T
    covariance_T_T = (deviations_M_T.T @ deviations_M_T).double() / count
    ridge = 0.5 * n_samples / count * covariance_T_T.diagonal().mean() + 1e-12
    covariance_T_T.diagonal().add_(ridge)
    slopes_T = torch.linalg.solve(covariance_T_T, (mean_T - 1 / n_samples).double())
    weights_M: Tensor = (1 - deviations_M_T @ slopes_T.float()) / count
    return weights_M


def _spread_labels(log_probs_T_C: Tensor, each: int, rng: torch.Generator) -> Tensor:
    """Draws ``each`` labels per network at evenly spread places of its distribution, in random order."""
    shape = (len(log_probs_T_C), each)
    strata = torch.rand(shape, generator=rng).argsort(1)
    places = (strata + torch.rand(shape, generator=rng, dtype=torch.float64)) / each
    rising_T_C = log_probs_T_C.double().exp().cumsum(1)
    rising_T_C /= rising_T_C[:, -1:].clone()
    # Right of a place: a label of probability zero is never drawn.
    places = places.clamp_max(1 - 1e-12).to(rising_T_C.device)
    return torch.searchsorted(rising_T_C, places, right=True).flatten()


def conditional_entropy(given: Configurations, log_probs_T_N_C: Tensor, rows_n: Tensor) -> Tensor:
    """Computes the mean of H(y | configuration) for some items, in nats; 0 ≤ result ≤ ln C.

    Two operations per (configuration, network, item, class) in matrix products, one logarithm per
    (configuration, item, class). Memory is that of a block.
    """
    n_classes = log_probs_T_N_C.shape[2]
    parts = []
    for rows in torch.split(rows_n, max(1, BLOCK_COLUMNS // n_classes)):
        probs_T_nC = _probs(log_probs_T_N_C[:, rows]).flatten(1)
        entropy_nC = mixture_entropy(given.posteriors_M_T, given.weights_M, probs_T_nC)
        parts.append(entropy_nC.view(-1, n_classes).sum(1))
    return torch.cat(parts).float()


def _probs(log_probs: Tensor) -> Tensor:
    return floored_probs(log_probs.float())
