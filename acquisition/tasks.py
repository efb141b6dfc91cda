"""What the outputs of a network mean, and the loss that follows: classes, independent labels, or a number.

=================  ===========================  ============================  =======================
task               targets                      outputs of the network        log-likelihood
=================  ===========================  ============================  =======================
classification     integers, [N]                class scores (logits) [N, C]  categorical
multilabel         0 or 1, [N, L]               one score per label [N, L]    L independent Bernoulli
regression         floating point, [N]          mean, log variance [N, 2]     Gaussian
=================  ===========================  ============================  =======================
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.errors import InvalidInput, InvalidOption

Task = Literal["classification", "multilabel", "regression"]
TASKS: tuple[Task, ...] = get_args(Task)


def task_of(targets: Tensor) -> Task:
    """Reads the task from the targets.

    Raises:
        InvalidInput: They are no targets of any task.
    """
    if targets.dim() == 1 and not targets.is_floating_point() and targets.dtype != torch.bool:
        return "classification"
    if targets.dim() == 1 and targets.is_floating_point():
        return "regression"
    if targets.dim() == 2 and bool(((targets == 0) | (targets == 1)).all()):
        return "multilabel"
    raise InvalidInput(
        "Expected class numbers as integer targets [N], numbers in floating point [N], or a table [N, L] of "
        f"zeros and ones; found {targets.dtype} of shape {list(targets.shape)}."
    )


def check_task(task: str) -> Task:
    """Refuses a task that does not exist."""
    for known in TASKS:
        if task == known:
            return known
    raise InvalidOption(f"task is {task!r}; one of {', '.join(TASKS)} is expected.")


def losses(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """Computes the negative log-likelihood of each item, in nats.

    Args:
        task: As in the table above.
        outputs: [..., N, C], [..., N, L] or [..., N, 2].
        targets: [..., N] or [..., N, L], as ``prepared``.
    """
    if task == "classification":
        flat = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
        return flat.view(targets.shape)
    if task == "multilabel":
        each = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        return each.sum(-1)
    mean, log_variance = outputs[..., 0], outputs[..., 1]
    squared = (targets - mean) ** 2
    return 0.5 * (log_variance + squared * torch.exp(-log_variance) + LOG_2PI)


LOG_2PI = 1.8378770664093453


def prepared(task: Task, targets: Tensor, device: torch.device) -> Tensor:
    """Moves targets to the device, in the type that ``losses`` takes."""
    return targets.to(device, torch.long if task == "classification" else torch.float32)
