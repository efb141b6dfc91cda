"""What T networks say about N items: the one argument of every acquisition function.

What is derived from the log-probabilities is computed when it is first asked for, so a function pays only for
what it uses.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.numerics import (
    Moments,
    entropy,
    expected_entropy,
    log_softmax,
    moments,
    mutual_information,
)


class Gaussians(NamedTuple):
    """T Gaussian predictions for each of N items: what regression has in place of log_probs_T_N_C.

    Attributes:
        means_T_N: The mean that each network predicts.
        log_variances_T_N: The logarithm of the noise variance that each network predicts.
    """

    means_T_N: Tensor
    log_variances_T_N: Tensor


Outputs = Tensor | Gaussians


class Predictions:
    """Predictions of classes.

    Attributes:
        rows_N: The number of each item in the whole pool.
        features_N_D: The items' embeddings; only where a function declares that it needs them.
    """

    def __init__(
        self, log_probs_T_N_C: Tensor | None, rows_N: Tensor, features_N_D: Tensor | None = None
    ) -> None:
        self._log_probs_T_N_C = log_probs_T_N_C
        self._logits_T_N_C: Tensor | None = None
        self.rows_N = rows_N
        self.features_N_D = features_N_D

    @classmethod
    def of_logits(
        cls, logits_T_N_C: Tensor, rows_N: Tensor, features_N_D: Tensor | None = None
    ) -> Predictions:
        """Wraps class scores; means and entropies are then computed without log-probabilities."""
        predictions = cls(None, rows_N, features_N_D)
        predictions._logits_T_N_C = logits_T_N_C
        return predictions

    @property
    def log_probs_T_N_C(self) -> Tensor:
        """Log-probabilities of each network."""
        if self._log_probs_T_N_C is None:
            assert self._logits_T_N_C is not None
            self._log_probs_T_N_C = log_softmax(self._logits_T_N_C)
        return self._log_probs_T_N_C

    @cached_property
    def _moments(self) -> Moments | None:
        return None if self._logits_T_N_C is None else moments(self._logits_T_N_C)

    @cached_property
    def probs_T_N_C(self) -> Tensor:
        """Probabilities of each network."""
        return self.log_probs_T_N_C.exp()

    @cached_property
    def mean_probs_N_C(self) -> Tensor:
        """Their mean, the prediction of all networks together."""
        return self._moments.mean_probs_N_C if self._moments else self.probs_T_N_C.mean(0)

    @cached_property
    def predictive_entropy_N(self) -> Tensor:
        """H of the mean, in nats."""
        return entropy(self.mean_probs_N_C)

    @cached_property
    def expected_entropy_N(self) -> Tensor:
        """Mean of H over the networks, in nats."""
        if self._moments:
            return self._moments.expected_entropy_N
        return expected_entropy(self.log_probs_T_N_C, self.probs_T_N_C)

    @cached_property
    def mutual_information_N(self) -> Tensor:
        """The difference of the two: between the item's label and the weights."""
        return mutual_information(self.predictive_entropy_N, self.expected_entropy_N)


class RegressionPredictions:
    """Predictions of a number; entropies are differential, of Gaussians, so they may be negative.

    Attributes:
        means_T_N: Mean of each network.
        log_variances_T_N: Log of each network's noise variance.
        rows_N: The number of each item in the whole pool.
        features_N_D: The items' embeddings; only where a function declares that it needs them.
    """

    def __init__(self, gaussians: Gaussians, rows_N: Tensor, features_N_D: Tensor | None = None) -> None:
        self.means_T_N, self.log_variances_T_N = gaussians
        self.rows_N = rows_N
        self.features_N_D = features_N_D

    @cached_property
    def epistemic_variance_N(self) -> Tensor:
        """Variance of the means over the networks (divided by T): what more labels can take away."""
        return ((self.means_T_N - self.means_T_N.mean(0)) ** 2).mean(0)

    @cached_property
    def aleatoric_variance_N(self) -> Tensor:
        """Mean of the noise variances: what stays. Law of total variance: the sum is the variance of y."""
        return self.log_variances_T_N.exp().mean(0)

    @cached_property
    def predictive_entropy_N(self) -> Tensor:
        """H of the Gaussian with the mixture's variance, an upper bound of the mixture's, in nats."""
        return gaussian_entropy((self.epistemic_variance_N + self.aleatoric_variance_N).log())

    @cached_property
    def expected_entropy_N(self) -> Tensor:
        """Mean of H over the networks, in nats."""
        return gaussian_entropy(self.log_variances_T_N).mean(0)

    @cached_property
    def mutual_information_N(self) -> Tensor:
        """The difference of the two, ½ ln(σ²_total) − ½ mean ln σ²; an upper bound, exact for a Gaussian."""
        return mutual_information(self.predictive_entropy_N, self.expected_entropy_N)


AnyPredictions = Predictions | RegressionPredictions


def gaussian_entropy(log_variance: Tensor) -> Tensor:
    """Computes ½ ln(2πe σ²) in nats."""
    return 0.5 * (log_variance + math.log(2 * math.pi * math.e))


def summarize(outputs: Outputs, rows_N: Tensor, features_N_D: Tensor | None = None) -> AnyPredictions:
    """Wraps outputs for the acquisition functions.

    Of L independent labels, log_probs_T_N_L_2, each item is L rows in turn: ``summed`` puts them together.
    """
    if isinstance(outputs, Gaussians):
        return RegressionPredictions(outputs, rows_N, features_N_D)
    if outputs.dim() == 3:
        return Predictions(outputs, rows_N, features_N_D)
    labels = outputs.shape[2]
    repeated = None if features_N_D is None else features_N_D.repeat_interleave(labels, 0)
    return Predictions(outputs.flatten(1, 2), rows_N.repeat_interleave(labels), repeated)


def summed(values: Tensor, outputs: Outputs) -> Tensor:
    """Adds up what belongs to one item: over its labels where there are several, nothing otherwise."""
    if isinstance(outputs, Tensor) and outputs.dim() == 4:
        return values.view(outputs.shape[1], outputs.shape[2]).sum(1)
    return values


def n_items(outputs: Outputs) -> int:
    """Counts the items."""
    first = outputs.means_T_N if isinstance(outputs, Gaussians) else outputs
    return first.shape[1]


def joined(parts: list[Outputs]) -> Outputs:
    """Puts chunks of neighbouring items together."""
    gaussians = [part for part in parts if isinstance(part, Gaussians)]
    if gaussians:
        means, log_variances = zip(*gaussians, strict=True)
        return Gaussians(torch.cat(means, 1), torch.cat(log_variances, 1))
    return torch.cat([part for part in parts if isinstance(part, Tensor)], 1)
