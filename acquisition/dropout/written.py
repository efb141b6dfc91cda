"""Whether a model is made of PyTorch's layers alone, or has code of its own."""

from __future__ import annotations

from torch import nn

from acquisition.dropout.chains import hooked


def own_code(model: nn.Module) -> bool:
    """Whether a model has code of its own, in which anything may be written."""
    return any(not of_torch(layer) or hooked(layer) for layer in model.modules())


def of_torch(layer: nn.Module) -> bool:
    """Whether a layer is one of PyTorch's, or of this package."""
    return type(layer).__module__.startswith(("torch.nn.", "acquisition."))
