"""What comes through the door is checked here, once: shape, type, content. Nothing is repaired."""

import torch
from torch import Tensor

from acquisition.errors import InvalidInput, InvalidOption, NotFinite
from acquisition.predictions import Gaussians, Outputs
from acquisition.tasks import Task

PRECISIONS = (torch.float32, torch.float64)
SHOWN_ROWS = 100
#: Numbers that are looked at together, so that a check needs little memory beside what it checks.
CHECKED_AT_ONCE = 2**20


def check_log_probs(log_probs_T_N_C: Tensor) -> None:
    """Refuses what is not a table of log-probabilities.

    Raises:
        InvalidInput: Wrong shape, wrong type, or rows whose probabilities do not sum to one.
        NotFinite: NaN or plus infinity; minus infinity is a valid log(0).
    """
    if not isinstance(log_probs_T_N_C, Tensor) or log_probs_T_N_C.dim() != 3:
        raise InvalidInput(
            "Expected log-probabilities of shape [T samples, N items, C classes], "
            f"found {_shape(log_probs_T_N_C)}."
        )
    if log_probs_T_N_C.dtype not in PRECISIONS:
        raise InvalidInput(
            f"Expected float32 or float64 log-probabilities, found {log_probs_T_N_C.dtype}. "
            "Convert logits with log_softmax(dtype=torch.float32) before half precision loses them."
        )
    if 0 in (log_probs_T_N_C.shape[0], log_probs_T_N_C.shape[2]):
        raise InvalidInput(f"At least one sample and one class are needed, found {_shape(log_probs_T_N_C)}.")
    rows = max(1, CHECKED_AT_ONCE // max(1, log_probs_T_N_C[:, :1].numel()))
    for first in range(0, log_probs_T_N_C.shape[1], rows):
        if not bool((log_probs_T_N_C[:, first : first + rows].logsumexp(-1).abs() <= 1e-3).all()):
            _refuse_log_probs(log_probs_T_N_C)


def _refuse_log_probs(log_probs_T_N_C: Tensor) -> None:
    bad_T_N_C = log_probs_T_N_C.isnan() | log_probs_T_N_C.isposinf()
    refuse_rows(bad_T_N_C.any(-1).any(0), "log-probabilities")
    totals_T_N = log_probs_T_N_C.logsumexp(-1)
    wrong_T_N = totals_T_N.abs() > 1e-3
    row = int(wrong_T_N.any(0).nonzero()[0])
    total = float(totals_T_N[:, row].exp()[wrong_T_N[:, row]][0])
    raise InvalidInput(
        f"The probabilities of row {row} sum to {total:.6g}, not to 1. "
        "Give log-probabilities: torch.log_softmax(logits, -1), or probabilities.log()."
    )


def check_outputs(outputs: Outputs) -> None:
    """Refuses what are no predictions: log_probs_T_N_C, log_probs_T_N_L_2 or ``Gaussians``."""
    if isinstance(outputs, Gaussians):
        _check_gaussians(outputs)
    elif isinstance(outputs, Tensor) and outputs.dim() == 4 and outputs.shape[2]:
        check_log_probs(outputs.flatten(1, 2))
    else:
        check_log_probs(outputs)


def _check_gaussians(gaussians: Gaussians) -> None:
    means_T_N, log_variances_T_N = gaussians
    if means_T_N.dim() != 2 or means_T_N.shape != log_variances_T_N.shape or not len(means_T_N):
        raise InvalidInput(
            "Expected means and log variances of shape [T samples, N items], "
            f"found {_shape(means_T_N)} and {_shape(log_variances_T_N)}."
        )
    if means_T_N.dtype not in PRECISIONS or log_variances_T_N.dtype not in PRECISIONS:
        raise InvalidInput(f"Expected float32 or float64 predictions, found {means_T_N.dtype}.")
    refuse_rows(~(means_T_N.isfinite() & log_variances_T_N.isfinite()).all(0), "predictions")


LEAST_OUTPUTS = {"classification": 2, "multilabel": 1, "regression": 2}
EXPECTED = {
    "classification": "one row of at least two class scores per item ([{n}, C])",
    "multilabel": "one row of label scores per item ([{n}, L])",
    "regression": "a mean and a log variance per item ([{n}, 2]; see acquisition.heads)",
}


def check_raw(task: Task, raw_T_N_O: Tensor, n_items: int, first_row: int) -> None:
    """Refuses what networks should not have put out; rows are counted from ``first_row``.

    Raises:
        InvalidInput: Not what the task needs, or rows that are probabilities already.
        NotFinite: NaN or infinity.
    """
    wrong = raw_T_N_O.dim() != 3 or raw_T_N_O.shape[1] != n_items
    if wrong or not fits(task, raw_T_N_O.shape[2]):
        raise InvalidInput(
            f"Expected {EXPECTED[task].format(n=n_items)}, the model gave {list(raw_T_N_O.shape[1:])}."
        )
    if not surely_finite(raw_T_N_O):
        refuse_rows(~raw_T_N_O.isfinite().all(-1).all(0), "outputs of the model", first_row)
    if task == "classification":
        refuse_probabilities(raw_T_N_O)


def fits(task: Task, n_outputs: int) -> bool:
    """Whether a network may have so many outputs."""
    least = LEAST_OUTPUTS[task]
    return n_outputs == least if task == "regression" else n_outputs >= least


def refuse_probabilities(outputs: Tensor) -> None:
    """Refuses outputs that went through a softmax already: a second one would flatten them in silence."""
    if outputs.numel() == 0 or bool((outputs[..., :1] < 0).any()):
        return
    rows_sum_to_one = (outputs.sum(-1) - 1).abs().max() < 1e-3
    if bool((outputs >= 0).all()) and bool(rows_sum_to_one):
        raise InvalidInput(
            "The model's outputs are probabilities already (not negative, sum 1); class scores (logits) "
            "are expected. Take the softmax off the model, or return its logarithm."
        )


def check_items(inputs: Tensor, first_row: int = 0) -> None:
    """Raises ``NotFinite`` for items with NaN or infinity; rows are counted from ``first_row``."""
    if inputs.is_floating_point() and not surely_finite(inputs):
        refuse_rows(~inputs.flatten(1).isfinite().all(-1), "inputs", first_row)


def surely_finite(tensor: Tensor) -> bool:
    """Whether the sum is finite, so all terms are; False only asks to look closer, sums may overflow."""
    return bool(tensor.sum().isfinite())


def check_scores(scores_N: Tensor) -> None:
    """Refuses scores that are not one finite number per candidate."""
    if not isinstance(scores_N, Tensor) or scores_N.dim() != 1 or not scores_N.is_floating_point():
        raise InvalidInput(f"Expected one floating-point score per candidate, found {_shape(scores_N)}.")
    refuse_rows(~scores_N.isfinite(), "scores")


def check_features(name: str, features_N_D: Tensor | None) -> None:
    """Refuses embeddings that are not one row of finite numbers per item; None is let through."""
    if features_N_D is None:
        return
    if not isinstance(features_N_D, Tensor) or features_N_D.dim() < 2:
        raise InvalidInput(f"{name} is to have one row per item, found {_shape(features_N_D)}.")
    if features_N_D.is_floating_point():
        refuse_rows(~features_N_D.flatten(1).isfinite().all(-1), name)


def refuse_rows(bad_N: Tensor, what: str, first_row: int = 0) -> None:
    """Raises ``NotFinite`` with the marked rows, counted from ``first_row``."""
    if not bool(bad_N.any()):
        return
    rows = tuple(first_row + row for row in bad_N.nonzero().flatten()[:SHOWN_ROWS].tolist())
    shown = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    raise NotFinite(f"NaN or infinity in the {what} of {int(bad_N.sum())} rows: {shown}.", rows)


def check_seed(seed: int) -> None:
    """Refuses what is no seed: a whole number from 0 to 2⁶³ − 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InvalidOption(f"seed is {seed!r}; a whole number from 0 to 2**63 - 1 is expected.")


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuses what is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidOption(f"{name} is {value!r}; a whole number of at least {least} is expected.")


def _shape(value: object) -> str:
    return f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
