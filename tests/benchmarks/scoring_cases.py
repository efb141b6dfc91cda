"""The networks of the speed table: heads on embeddings, convolutional and residual nets, a transformer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


def mlp() -> nn.Module:
    """Makes a head on embeddings with one dropout."""
    return nn.Sequential(nn.Linear(384, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


def deep_mlp() -> nn.Module:
    """Makes a head on embeddings with two dropouts."""
    return nn.Sequential(
        nn.Linear(384, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 10),
    )  # fmt: skip


def cnn() -> nn.Module:
    """Makes the small network of Gal et al. 2017."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4), nn.ReLU(), nn.Conv2d(32, 32, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(3872, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


class LeNet(nn.Module):
    """The network of BatchBALD: channel dropout after each convolution; written as most people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 32, 5), nn.Conv2d(32, 64, 5)
        self.drop_first, self.drop_second = nn.Dropout2d(), nn.Dropout2d()
        self.dense, self.drop, self.last = nn.Linear(1024, 128), nn.Dropout(), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Computes logits."""
        x = functional.relu(functional.max_pool2d(self.drop_first(self.first(x)), 2))
        x = functional.relu(functional.max_pool2d(self.drop_second(self.second(x)), 2))
        x = functional.relu(self.drop(self.dense(x.view(-1, 1024))))
        return self.last(x)


class Block(nn.Module):
    """A residual block of ResNet-18; with dropout between its convolutions where asked for."""

    def __init__(self, before: int, after: int, stride: int, p: float = 0.0) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.c2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.b1, self.b2, self.drop = nn.BatchNorm2d(after), nn.BatchNorm2d(after), nn.Dropout(p)
        self.short = nn.Sequential()
        if stride != 1 or before != after:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Computes the block."""
        y = self.drop(functional.relu(self.b1(self.c1(x))))
        return functional.relu(self.b2(self.c2(y)) + self.short(x))


class ResNet(nn.Module):
    """ResNet-18 for small images, dropout before the last layer."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))
        before = [64, *(size for size, _ in sizes)]
        self.stem, self.norm = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        self.blocks = nn.Sequential(
            *(Block(b, size, stride) for b, (size, stride) in zip(before, sizes, strict=False))
        )
        self.drop, self.last = nn.Dropout(), nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Computes logits."""
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.last(self.drop(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1)))


class WideResNet(nn.Module):
    """A small residual network with dropout inside its blocks, as in Zagoruyko and Komodakis 2016."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, 1, 1, bias=False)
        self.blocks = nn.Sequential(
            Block(32, 32, 1), Block(32, 32, 1, 0.3), Block(32, 64, 2, 0.3), Block(64, 64, 1, 0.3)
        )
        self.last = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Computes logits."""
        return self.last(self.blocks(self.stem(x)).mean((2, 3)))


class Transformer(nn.Module):
    """An encoder with dropout everywhere, inside attention too."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Computes logits."""
        return self.last(self.encoder(x).mean(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the table."""

    name: str
    factory: Callable[[], nn.Module]
    shape: tuple[int, ...]
    samples: int
    items: int
    caches: bool = True  # whether baal's caching can take the network


def cases() -> list[Case]:
    """Lists the rows."""
    rows: list[tuple[str, Callable[[], nn.Module], tuple[int, ...], int, int]] = [
        ("MLP, one dropout", mlp, (384,), 20, 20_000),
        ("MLP, one dropout", mlp, (384,), 100, 5_000),
        ("MLP, two dropouts", deep_mlp, (384,), 20, 20_000),
        ("MLP, two dropouts", deep_mlp, (384,), 100, 5_000),
        ("CNN of Gal et al.", cnn, (1, 28, 28), 20, 500),
        ("CNN of Gal et al.", cnn, (1, 28, 28), 100, 200),
        ("LeNet, channel dropout", LeNet, (1, 28, 28), 20, 500),
        ("LeNet, channel dropout", LeNet, (1, 28, 28), 100, 200),
        ("ResNet-18, last dropout", ResNet, (3, 32, 32), 20, 64),
        ("ResNet-18, last dropout", ResNet, (3, 32, 32), 100, 32),
        ("residual, dropout in blocks", WideResNet, (3, 32, 32), 20, 64),
        ("transformer, dropout everywhere", Transformer, (32, 128), 20, 128),
    ]
    return [
        Case(name=n, factory=f, shape=s, samples=t, items=i, caches=f is not Transformer)
        for n, f, s, t, i in rows
    ]
