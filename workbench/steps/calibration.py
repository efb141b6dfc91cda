"""How well the newest model knows what it knows: measured on held-out items, kept with the round.

Reports read the finding; nothing here decides anything. A finding is small: some ten kilobytes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import acquisition
from acquisition import AcquisitionError
from acquisition.calibration.held_out import mean_prediction
from acquisition.diagnostics import (
    brier_score,
    calibration_floor,
    error_auroc,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
    risk_coverage,
)
from acquisition.diagnostics.reliability import Scheme
from workbench.domain.intervals import Z
from workbench.steps.unforeseen import INCALCULABLE, in_words
from workbench.storage.predictions import Predictions
from workbench.storage.store import Transaction

NAME = "calibration"
SCHEMES: tuple[Scheme, ...] = ("equal_width", "equal_mass")
#: Points of the risk-coverage curve; resamples behind its area's interval.
POINTS, RESAMPLES = 100, 400
#: Numbers that the search for a temperature passes over, some eighty times.
SEARCHED = 1_000_000
#: No calibrator stands behind the posterior: probabilities are used as the networks give them.
TEMPERATURE_USED = 1.0
#: A probability of 0 counts as the smallest one that float32 can hold.
LEAST = float(np.log(np.finfo(np.float32).tiny))


def calibration_of(predictions: Predictions, log_probs: Tensor, *, seed: int) -> dict[str, Any]:
    """Measure calibration and what uncertainty is worth; what can not be measured is named under "missing".

    Args:
        predictions: What the model says of the held-out items.
        log_probs: log_probs_T_N_C of the same items in the same order, or log_probs_N_C of their mean.
        seed: Of the labels that a perfect model would draw, of the halves and of the resamples.
    """
    if not len(predictions):
        return {"n": 0, "missing": "there are no held-out items"}
    try:
        measured = _measured(predictions, log_probs.clamp_min(LEAST), seed)
    except (AcquisitionError, *INCALCULABLE) as refused:
        return {"n": len(predictions), "missing": in_words(refused)}
    return {name: _shortened(value) for name, value in measured.items()}


def keep_calibration(tx: Transaction, project_id: int, round_id: int, content: Mapping[str, Any]) -> None:
    """Keep the finding of a round, once."""
    if not tx.evidence.has_diagnostic(round_id, NAME):
        tx.evidence.keep_diagnostic(project_id, NAME, content, round_id=round_id)


def _measured(predictions: Predictions, log_probs: Tensor, seed: int) -> dict[str, Any]:
    log_mean_N_C = mean_prediction(log_probs)
    targets_N = torch.from_numpy(np.asarray(predictions.target_N, np.int64))
    gap_N = predictions.confidence_N.astype(float) - predictions.right_N
    return {
        "n": len(predictions),
        "samples": len(log_probs) if log_probs.dim() == 3 else None,
        "accuracy": float(predictions.right_N.mean()),
        "confidence": float(predictions.confidence_N.astype(float).mean()),
        "overconfidence": _mean(gap_N),
        **{f"ece_{scheme}": _error(log_mean_N_C, targets_N, scheme, seed) for scheme in SCHEMES},
        "brier": _brier(predictions, log_mean_N_C, targets_N),
        "nll": _likelihood(log_mean_N_C, targets_N),
        "bins": _bins(log_mean_N_C, targets_N),
        **_risk(log_mean_N_C, targets_N, seed),
        "wrong": int((~predictions.right_N).sum()),
        "ranking": _ranking(predictions),
        "temperature": _temperature(log_probs, targets_N, seed),
    }


def _error(log_mean_N_C: Tensor, targets_N: Tensor, scheme: Scheme, seed: int) -> dict[str, float | None]:
    floor = calibration_floor(log_mean_N_C, targets_N, scheme=scheme, seed=seed)
    return {
        "value": expected_calibration_error(log_mean_N_C, targets_N, scheme=scheme),
        "floor": floor.mean,
        "floor_high": floor.high,
        "p": floor.p_value,
    }


def _brier(predictions: Predictions, log_mean_N_C: Tensor, targets_N: Tensor) -> dict[str, float | None]:
    """The Brier score; ``expected`` is that of labels drawn from these very probabilities: 1 − Σ p²."""
    expected = float((1 - log_mean_N_C.exp().square().sum(-1)).mean())
    found = _mean(predictions.squared_error_N.astype(float))
    return {**found, "value": brier_score(log_mean_N_C, targets_N), "expected": expected}


def _likelihood(log_mean_N_C: Tensor, targets_N: Tensor) -> dict[str, float | None]:
    """The negative log-likelihood; ``expected`` likewise: the mean entropy."""
    probs_N_C = log_mean_N_C.exp()
    expected = float(-torch.special.xlogy(probs_N_C, probs_N_C).sum(-1).mean())
    found = _mean(-log_mean_N_C.gather(1, targets_N[:, None]).squeeze(1).numpy())
    return {**found, "value": negative_log_likelihood(log_mean_N_C, targets_N), "expected": expected}


def _bins(log_mean_N_C: Tensor, targets_N: Tensor) -> list[list[float]]:
    """Low, high, count, mean confidence, accuracy and its interval of every bin of equal width."""
    return [
        [b.low, b.high, b.count, b.confidence, b.accuracy, b.accuracy_low, b.accuracy_high]
        for b in reliability(log_mean_N_C, targets_N)
    ]


def _risk(log_mean_N_C: Tensor, targets_N: Tensor, seed: int) -> dict[str, Any]:
    """The risk-coverage curve at some of its points, and its area with a bootstrap interval."""
    curve = risk_coverage(log_mean_N_C, targets_N)
    n = len(targets_N)
    rows = np.unique(np.linspace(0, n - 1, min(n, POINTS)).round().astype(int))
    points = zip(curve.coverage_N[rows].tolist(), curve.risk_N[rows].tolist(), strict=True)
    # Errors among the surest k are k times their risk: differences give each item's share, in that order.
    errors_N = (curve.risk_N * torch.arange(1, n + 1)).diff(prepend=torch.zeros(1)).numpy()
    low, high = _area_interval(errors_N, seed)
    area = {"value": curve.area, "low": low, "high": high, "best": curve.area - curve.excess_area}
    return {"risk": [list(point) for point in points], "aurc": area}


def _area_interval(errors_N: NDArray[Any], seed: int) -> tuple[float, float]:
    source, n = np.random.default_rng(seed), len(errors_N)
    areas = np.empty(RESAMPLES)
    for draw in range(RESAMPLES):
        times_N = np.bincount(source.integers(0, n, n), minlength=n)
        risk_N = np.cumsum(times_N * errors_N) / np.maximum(np.cumsum(times_N), 1)
        areas[draw] = (times_N * risk_N).sum() / n
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def _ranking(predictions: Predictions) -> dict[str, float] | None:
    """How well each score tells what is wrong from what is right; None where all is one of them."""
    wrong_N = torch.from_numpy(~predictions.right_N)
    if bool(wrong_N.all()) or not bool(wrong_N.any()):
        return None
    scores = {
        "mutual_information": predictions.mutual_information_N,
        "entropy": predictions.entropy_N,
        "one_minus_confidence": 1 - predictions.confidence_N.astype(float),
    }
    return {
        name: error_auroc(torch.from_numpy(np.asarray(values_N, float)), wrong_N)
        for name, values_N in scores.items()
    }


def _temperature(log_probs: Tensor, targets_N: Tensor, seed: int) -> dict[str, Any]:
    """The temperature that fits one half best, and what it changes on the other half."""
    found: dict[str, Any] = {"used": TEMPERATURE_USED}
    sampled_T_N_C = log_probs if log_probs.dim() == 3 else log_probs[None]
    most = max(2, SEARCHED // (sampled_T_N_C.shape[0] * sampled_T_N_C.shape[2]))
    order = torch.randperm(len(targets_N), generator=torch.Generator().manual_seed(seed % 2**63))
    half = len(order) // 2
    fitted, judged = order[:half][:most], order[half:][:most]
    try:
        fit = acquisition.calibrate("temperature", sampled_T_N_C[:, fitted], targets_N[fitted])
        before, after = (
            _losses(table, targets_N[judged])
            for table in (sampled_T_N_C[:, judged], fit(sampled_T_N_C[:, judged]))
        )
    except AcquisitionError as refused:
        return {**found, "missing": str(refused)}
    facts = {"best": float(fit.tensors["temperature"]), "fitted": len(fitted), "judged": len(judged)}
    return {**found, **facts, "change": _mean(after - before)}


def _losses(log_probs_T_N_C: Tensor, targets_N: Tensor) -> NDArray[Any]:
    losses_N: NDArray[Any] = (
        -mean_prediction(log_probs_T_N_C).gather(1, targets_N[:, None]).squeeze(1).numpy()
    )
    return losses_N


def _mean(values_N: NDArray[Any]) -> dict[str, float | None]:
    """A mean with its normal interval; none from one value."""
    value, n = float(values_N.mean()), len(values_N)
    if n < 2:
        return {"value": value, "low": None, "high": None}
    reach = Z * float(values_N.std(ddof=1)) / n**0.5
    return {"value": value, "low": value - reach, "high": value + reach}


def _shortened(content: Any) -> Any:
    """Six digits of every number: small, and the same wherever it was computed. JSON knows no infinity."""
    if isinstance(content, dict):
        return {name: _shortened(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_shortened(value) for value in content]
    if isinstance(content, float):
        return float(f"{content:.6g}") if np.isfinite(content) else None
    return content
