"""A network of two hidden layers with dropout, for rows of numbers or embeddings."""

import math

from torch import nn


def build(
    input_shape: tuple[int, ...],
    n_classes: int,
    *,
    hidden: int = 128,
    dropout: float = 0.25,
) -> nn.Module:
    """Build the network.

    Args:
        input_shape: Of one item; flattened.
        n_classes: Number of outputs, which are logits.
        hidden: Size of both hidden layers.
        dropout: Share of features that is switched off after each hidden layer.
    """
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    )
