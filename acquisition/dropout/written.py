"""Whether a model is made of PyTorch's layers alone, or has code of its own, and what that may not do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acquisition.dropout.chains import hooked
from acquisition.errors import InvalidInput


def own_code(model: nn.Module) -> bool:
    """Whether a model has code of its own, in which anything may be written."""
    return any(not of_torch(layer) or hooked(layer) for layer in model.modules())


def of_torch(layer: nn.Module) -> bool:
    """Whether a layer is one of PyTorch's, or of this package."""
    return type(layer).__module__.startswith(("torch.nn.", "acquisition."))


def refuse_company(model: nn.Module, items: Tensor) -> None:
    """Raises ``InvalidInput`` where what is predicted of an item depends on the others of its batch."""
    with torch.inference_mode():
        together, alone = model(items.clone()), model(items[:1].clone())
    if not isinstance(together, Tensor) or together.shape[:1] != items.shape[:1]:
        return  # what else is wrong with the outputs is said where they are used
    first = together[:1]
    if first.shape == alone.shape and not torch.allclose(first, alone, rtol=1e-2, atol=1e-3, equal_nan=True):
        raise InvalidInput(
            f"{type(model).__name__} predicts an item differently in the company of another, or each time: "
            "its scores would depend on how the pool is cut. Use statistics of the training data, not of "
            "the batch."
        )
