"""A small convolutional network with dropout in its head, for pictures of any size.

Stages of convolution and pooling halve the picture until it is at most 4 pixels wide and high; everything
before the first dropout is the same for all samples, so scoring runs it once per picture.
"""

from itertools import pairwise

from torch import nn

from workbench.domain.errors import ModelProblem

LARGEST_MAP = 4


def build(
    input_shape: tuple[int, ...],
    n_classes: int,
    *,
    width: int = 32,
    hidden: int = 128,
    dropout: float = 0.25,
) -> nn.Module:
    """Build the network.

    Args:
        input_shape: (channels, height, width) of a picture.
        n_classes: Number of outputs, which are logits.
        width: Channels of the first stage; they double with each, up to four times.
        hidden: Size of the layer before the last.
        dropout: Share of features that is switched off, before and after the hidden layer.
    """
    if len(input_shape) != 3:
        raise ModelProblem(
            f"The model 'cnn' expects pictures of shape (channels, height, width), found {input_shape}. "
            "Use 'mlp' or 'text' for other items."
        )
    channels, height, across = input_shape
    stages = _n_stages(height, across)
    widths = [channels, *(width * 2 ** min(stage, 2) for stage in range(stages))]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        kernel = (min(2, height), min(2, across))
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(kernel)]
        height, across = height // kernel[0], across // kernel[1]
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(widths[-1] * height * across, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, n_classes),
    )


def _n_stages(height: int, across: int) -> int:
    """Count the halvings until the picture is small, and make two where it still can be halved."""
    stages, side = 0, max(height, across)
    while side > LARGEST_MAP or (stages < 2 and side > 1):
        stages, side = stages + 1, side // 2
    return max(stages, 1)
