"""One hidden layer with dropout over hashed words or sentence embeddings."""

import math

from torch import nn


def build(
    input_shape: tuple[int, ...],
    n_classes: int,
    *,
    hidden: int = 64,
    dropout: float = 0.5,
) -> nn.Module:
    """Build the network.

    Args:
        input_shape: Of one encoded text; flattened.
        n_classes: Number of outputs, which are logits.
        hidden: Size of the hidden layer.
        dropout: Share of hidden features that is switched off.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    )
