"""What a network makes of an item before it decides: the input of its last layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from acquisition.checks import check_items
from acquisition.errors import InvalidInput
from acquisition.prediction import item_chunks
from acquisition.types import Batches, Posterior


def embed(posterior: Posterior, inputs: Batches) -> Tensor:
    """Computes features_N_D of items, for functions and selectors that look at distances.

    Args:
        posterior: One with ``embed``; of another one its ``features`` are taken, flat.
        inputs: A tensor of items or any iterable of such tensors.

    Returns:
        features_N_D on the CPU: the last layer's input where all randomness is off.

    Raises:
        InvalidInput: There are no items, or the model can not take them.
        NotFinite: NaN or infinity in the items.
    """
    found = [embedded(posterior, chunk) for chunk in item_chunks(inputs)]
    if not found:
        raise InvalidInput("There are no items to embed.")
    return torch.cat(found)


def embedded(posterior: Posterior, inputs: Tensor) -> Tensor:
    """Embeds one chunk."""
    check_items(inputs)
    own = getattr(posterior, "embed", None)
    with torch.inference_mode():
        placed = inputs.to(posterior.device)
        features_N_D = posterior.features(placed) if own is None else own(placed)
        return features_N_D.flatten(1).float().cpu()


def last_input(module: nn.Module, inputs: Tensor) -> Tensor:
    """Runs a module and returns what its last ``nn.Linear`` was given; its output where it has none."""
    given: list[Tensor] = []

    def note(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        given.append(arguments[0])

    hooks = [m.register_forward_pre_hook(note) for m in module.modules() if isinstance(m, nn.Linear)]
    try:
        with torch.inference_mode():
            output: Tensor = module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    last = given[-1] if given else output
    return last.flatten(1)
