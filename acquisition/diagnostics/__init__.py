"""How far predictions, samples and scores can be trusted: plain functions on tensors."""

from acquisition.diagnostics.convergence import Convergence, ConvergenceRow, sample_convergence
from acquisition.diagnostics.drift import Drift, DriftTest, drift
from acquisition.diagnostics.finite_samples import bald_bias, debiased_bald
from acquisition.diagnostics.prior_predictive import PriorPredictive, prior_predictive
from acquisition.diagnostics.proper_scores import accuracy, brier_score, negative_log_likelihood
from acquisition.diagnostics.reliability import (
    ClasswiseError,
    Floor,
    ReliabilityBin,
    calibration_floor,
    classwise_calibration_error,
    expected_calibration_error,
    reliability,
)
from acquisition.diagnostics.sampling import SamplingCheck, check_sampling
from acquisition.diagnostics.selective import RiskCoverage, auroc, error_auroc, ood_auroc, risk_coverage
from acquisition.diagnostics.variance import VarianceParts, decompose

__all__ = [
    "ClasswiseError",
    "Convergence",
    "ConvergenceRow",
    "Drift",
    "DriftTest",
    "Floor",
    "PriorPredictive",
    "ReliabilityBin",
    "RiskCoverage",
    "SamplingCheck",
    "VarianceParts",
    "accuracy",
    "auroc",
    "bald_bias",
    "brier_score",
    "calibration_floor",
    "check_sampling",
    "classwise_calibration_error",
    "debiased_bald",
    "decompose",
    "drift",
    "error_auroc",
    "expected_calibration_error",
    "negative_log_likelihood",
    "ood_auroc",
    "prior_predictive",
    "reliability",
    "risk_coverage",
    "sample_convergence",
]
