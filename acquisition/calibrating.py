"""Calibration: a map of predictions, fitted on labels that no training saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acquisition.calibration.held_out import held_out, sampled
from acquisition.catalog import build, method
from acquisition.checks import refuse_probabilities
from acquisition.embedding import embedded
from acquisition.errors import InvalidInput
from acquisition.numerics import log_softmax
from acquisition.types import Draw, Posterior


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A fitted map of log-probabilities; call it to apply it.

    Attributes:
        name: The calibrator in ``catalog()``.
        n_classes: Of the predictions that it was fitted on.
        tensors: What was fitted.
    """

    name: str
    n_classes: int
    tensors: Mapping[str, Tensor]

    def __call__(self, log_probs: Tensor) -> Tensor:
        """Maps predictions.

        Args:
            log_probs: log_probs_T_N_C or log_probs_N_C, as many classes as the calibration was fitted on.

        Returns:
            Normalised log-probabilities in the shape and type of the input.
        """
        checked_T_N_C = sampled(log_probs)
        return self.mapped(checked_T_N_C).view(log_probs.shape).to(log_probs.dtype)

    def mapped(self, log_probs_T_N_C: Tensor) -> Tensor:
        """Maps predictions that were checked; the result is float64."""
        if log_probs_T_N_C.shape[2] != self.n_classes:
            raise InvalidInput(
                f"The calibration is of {self.n_classes} classes, the predictions have "
                f"{log_probs_T_N_C.shape[2]}. Fit it again on predictions of this model."
            )
        placed = {name: tensor.to(log_probs_T_N_C.device) for name, tensor in self.tensors.items()}
        mapped_T_N_C: Tensor = method("calibrators", self.name).apply(placed, log_probs_T_N_C.double())
        return mapped_T_N_C

    def state(self) -> dict[str, Tensor]:
        """Returns the tensors that ``restore_calibration`` needs."""
        return {**self.tensors, "n_classes": torch.tensor(self.n_classes)}


def calibrate(name: str, log_probs: Tensor, targets: Tensor, **options: Any) -> Calibration:
    """Fits a calibration on items that no training saw, such as a control batch.

    Args:
        name: A calibrator of ``catalog()``.
        log_probs: log_probs_T_N_C or log_probs_N_C. Of T samples the mean is fitted.
        targets: The items' classes, [N].
        **options: The calibrator's own options.

    Raises:
        UnknownMethod: There is no such calibrator.
        InvalidOption: The calibrator does not take an option.
        InvalidInput: No predictions of classes, no items, one class only, targets that are not their
            classes, or nothing finite fits.
        NotFinite: NaN in the predictions.
    """
    fitter = build("calibrators", name, options)
    items = held_out(log_probs, targets)
    n_classes = items.log_probs_T_N_C.shape[2]
    if n_classes < 2:
        raise InvalidInput("Predictions of one class are always right; at least two classes are needed.")
    fitted = {key: tensor.cpu() for key, tensor in fitter(items).items()}
    return Calibration(name=name, n_classes=n_classes, tensors=fitted)


def restore_calibration(name: str, state: Mapping[str, Tensor]) -> Calibration:
    """Puts the tensors of ``calibration.state()`` back.

    Raises:
        UnknownMethod: There is no such calibrator.
        InvalidInput: The tensors belong to another calibrator.
    """
    expected = sorted([*method("calibrators", name).TENSORS, "n_classes"])
    if sorted(state) != expected:
        raise InvalidInput(
            f"A {name!r} calibration has the tensors {', '.join(expected)}; found {', '.join(sorted(state))}."
        )
    tensors = {key: tensor for key, tensor in state.items() if key != "n_classes"}
    return Calibration(name=name, n_classes=int(state["n_classes"]), tensors=tensors)


def calibrated(posterior: Posterior, calibration: Calibration) -> Calibrated:
    """Puts a calibration behind a posterior, for ``rank_pool`` and everything else that takes one.

    Raises:
        InvalidInput: The posterior does not predict classes.
    """
    if posterior.task != "classification":
        raise InvalidInput(f"Calibration is for classification; this is a posterior of {posterior.task}.")
    return Calibrated(posterior, calibration)


class Calibrated:
    """A posterior whose predictions go through a calibration; made by ``calibrated``.

    Everything else is the posterior's own, also ``state``: keep the calibration's state beside it.
    """

    task = "classification"

    def __init__(self, posterior: Posterior, calibration: Calibration) -> None:
        self._posterior = posterior
        self.calibration = calibration

    @property
    def n_outputs(self) -> int | None:
        """Counts the classes."""
        return self._posterior.n_outputs

    @property
    def max_samples(self) -> int | None:
        """Counts the different samples."""
        return self._posterior.max_samples

    @property
    def device(self) -> torch.device:
        """Where the computation is done."""
        return self._posterior.device

    def features(self, inputs: Tensor) -> Tensor:
        """Computes the part that all samples share, once per item."""
        return self._posterior.features(inputs)

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Draws samples."""
        return self._posterior.draw(n_samples, seed=seed)

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes calibrated log-probabilities, which are valid logits_T_N_C.

        Platt and isotonic calibrations move all samples of an item together, so that part of a draw is
        mapped by its own mean.
        """
        logits_T_N_C = self._posterior.forward(draw, features)
        refuse_probabilities(logits_T_N_C)
        return self.calibration.mapped(log_softmax(logits_T_N_C)).float()

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D, the input of the last layer where all randomness is off."""
        return embedded(self._posterior, inputs)

    def to(self, device: torch.device | str) -> Calibrated:
        """Returns this posterior on a device."""
        return Calibrated(self._posterior.to(device), self.calibration)

    def state(self) -> dict[str, Tensor]:
        """Returns the tensors of the posterior below, which ``restore`` takes."""
        return self._posterior.state()
