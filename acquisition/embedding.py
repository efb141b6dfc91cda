"""What a network makes of an item before it decides: the input of its last layer."""

from __future__ import annotations

import torch
from torch import Tensor

from acquisition.checks import check_items
from acquisition.errors import InvalidInput
from acquisition.prediction import item_chunks, translated
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
    found, start = [], 0
    for chunk in item_chunks(inputs):
        found.append(embedded(posterior, chunk, start))
        start += len(chunk)
    if not found:
        raise InvalidInput("There are no items to embed.")
    return torch.cat(found)


def embedded(posterior: Posterior, inputs: Tensor, start: int = 0) -> Tensor:
    """Embeds one chunk; rows are counted from ``start``."""
    check_items(inputs, start)
    own = getattr(posterior, "embed", None)
    with torch.inference_mode():
        placed = inputs.to(posterior.device, copy=True)  # a model may write into what it is given
        run = posterior.features if own is None else own
        return translated(lambda: run(placed), inputs).flatten(1).float().cpu()
