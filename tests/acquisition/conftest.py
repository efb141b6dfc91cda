"""Small models and data for all tests of the package."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from acquisition.dropout.layers import KINDS, Noise, Site, SiteKey
from acquisition.dropout.masks import make_noise
from acquisition.randomness import forked

CLASSES = 4


class Residual(nn.Module):
    """A user's module: residual connections, and one dropout layer called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.middle, self.leave = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, CLASSES)
        self.drop = nn.Dropout(0.4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.drop(torch.relu(self.enter(x)))
        return self.leave(hidden + self.drop(torch.tanh(self.middle(hidden))))


class InPlaceResidual(Residual):
    """Adds in place, which vmap can not do."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.enter(x))
        hidden += self.drop(torch.relu(self.middle(hidden)))
        return self.leave(hidden)


class Encoder(nn.Module):
    """A transformer, whose fused evaluation path would skip the dropout layers."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
        layer.self_attn.dropout = 0.0
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).mean(1))


class FunctionalHead(nn.Module):
    """A head written with functions, its output normalized as for ``nll_loss``."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.drop, self.leave = nn.Linear(6, 24), nn.Dropout(0.5), nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return functional.log_softmax(self.leave(self.drop(functional.relu(self.enter(x)))), dim=1)


class FunctionalLeNet(nn.Module):
    """A small convolutional network as most people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 9, 2)
        self.channels, self.units = nn.Dropout2d(0.5), nn.Dropout(0.5)
        self.dense, self.last = nn.Linear(36, 20), nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(functional.max_pool2d(self.channels(self.first(x)), 2))
        x = torch.relu(self.channels(self.second(x)))
        x = x.view(x.size(0), -1)
        return self.last(self.units(self.dense(x).relu()))


class Block(nn.Module):
    """A residual block with batch normalization and dropout between its convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(2))
        self.norm, self.other, self.drop = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.drop(functional.relu(self.norm(self.one(x)), inplace=True))
        return functional.relu(self.other(self.two(y)) + x)


class Blocks(nn.Module):
    """A small residual network: dropout inside its blocks, and before it what it shares."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.blocks, self.leave = nn.Sequential(Block(), Block()), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(functional.relu(self.norm(self.enter(x))))
        return self.leave(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


def _little_dropped() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 48), nn.ReLU(), nn.Dropout(0.6),
        nn.Linear(48, CLASSES),
    )  # fmt: skip


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, CLASSES))


def _deep_mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8),
        nn.Dropout(0.3),
        nn.ReLU(),
        nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Dropout(0.5)),
        nn.Linear(12, 7, bias=False),
        nn.Tanh(),
        nn.Linear(7, CLASSES),
    )


def _conv_channels() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3),
        nn.Dropout2d(0.5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, padding=1, padding_mode="reflect"),
        nn.Dropout2d(0.4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(5 * 9, 10),
        nn.Dropout(0.5),
        nn.ReLU(),
        nn.Linear(10, CLASSES),
    )


def _conv_elements() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(3 * 16, 10),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(10, CLASSES),
    )


def _conv_elements_inside() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.Dropout(0.25),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2),
        nn.Flatten(),
        nn.Linear(16, 4),
    )


def _batch_norm() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.BatchNorm1d(8),
        nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(8, CLASSES),
    )  # fmt: skip


def _alpha() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.SELU(), nn.AlphaDropout(0.2), nn.Linear(8, 8), nn.SELU(),
        nn.FeatureAlphaDropout(0.3), nn.Linear(8, CLASSES),
    )  # fmt: skip


def _signal() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Dropout1d(0.5), nn.Flatten(), nn.Linear(4 * 6, CLASSES)
    )


def _volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 4, 2), nn.Dropout3d(0.5), nn.Flatten(), nn.Linear(32, CLASSES))


def _sequence() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.Dropout(0.4), nn.Linear(8, 5), nn.Flatten(), nn.Linear(15, CLASSES)
    )


def _dropout_first() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.2), nn.Linear(6, CLASSES))


def _double_dropout() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.Dropout(0.2), nn.Dropout(0.3), nn.Linear(8, CLASSES), nn.LogSoftmax(-1)
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "alpha": (_alpha, (6,)),
    "batch_norm": (_batch_norm, (6,)),
    "blocks": (Blocks, (1, 8, 8)),
    "conv_channels": (_conv_channels, (1, 8, 8)),
    "conv_elements": (_conv_elements, (1, 8, 8)),
    "conv_elements_inside": (_conv_elements_inside, (1, 8, 8)),
    "deep_mlp": (_deep_mlp, (6,)),
    "double_dropout": (_double_dropout, (6,)),
    "dropout_first": (_dropout_first, (6,)),
    "encoder": (Encoder, (3, 8)),
    "functional_head": (FunctionalHead, (6,)),
    "functional_lenet": (FunctionalLeNet, (1, 8, 8)),
    "in_place_residual": (InPlaceResidual, (6,)),
    "little_dropped": (_little_dropped, (6,)),
    "mlp": (_mlp, (6,)),
    "residual": (Residual, (6,)),
    "sequence": (_sequence, (3, 6)),
    "signal": (_signal, (1, 8)),
    "volume": (_volume, (1, 3, 3, 3)),
}


def make(name: str, seed: int = 0) -> nn.Module:
    """Makes a model with random weights; batch statistics as after some training."""
    with forked(seed):
        model = MODELS[name][0]()
        model(torch.randn(32, *MODELS[name][1]))
    return model.eval()


def items(name: str, n_items: int = 23, seed: int = 1) -> Tensor:
    """Makes items for a model."""
    return torch.randn(n_items, *MODELS[name][1], generator=torch.Generator().manual_seed(seed))


def explicit_copies(model: nn.Module, seeds_T: Tensor, inputs: Tensor) -> Tensor:
    """Computes logits_T_N_C by T copies of the model whose dropout layers multiply by the masks of the seeds.

    Finds shapes by hooks and needs none of the code that finds, reorders or thins layers.
    """
    layers = [layer for layer in model.modules() if type(layer).forward in KINDS and layer.p > 0]
    sites = _sites_by_hooks(model, layers, inputs[:1])
    noise = make_noise(sites, seeds_T, torch.device("cpu"))
    return torch.stack([_one_copy(model, noise, t, inputs) for t in range(len(seeds_T))])


def _sites_by_hooks(model: nn.Module, layers: list[nn.Module], item: Tensor) -> dict[SiteKey, Site]:
    sites: dict[SiteKey, Site] = {}
    calls = dict.fromkeys(layers, 0)

    def note(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        kind, shape = KINDS[type(layer).forward], tuple(args[0].shape[1:])
        shape = (shape[0], *[1] * (len(shape) - 1)) if kind.channels else shape
        sites[SiteKey(layers.index(layer), calls[layer])] = Site(kind=kind, p=layer.p, shape=shape)
        calls[layer] += 1

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad(), slow_attention():
        model(item)
    for hook in hooks:
        hook.remove()
    return sites


def _one_copy(model: nn.Module, noise: dict[SiteKey, Noise], t: int, inputs: Tensor) -> Tensor:
    twin = copy.deepcopy(model).eval()
    layers = [layer for layer in twin.modules() if type(layer).forward in KINDS and layer.p > 0]
    for number, layer in enumerate(layers):
        masks = iter([noise[key] for key in sorted(noise) if key.layer == number])
        layer.forward = lambda x, masks=masks: _by_hand(x, next(masks), t)
    with torch.no_grad(), slow_attention():
        return twin(inputs)


def _by_hand(x: Tensor, noise: Noise, t: int) -> Tensor:
    return x * noise.factor[t] + (noise.shift[t] if noise.shift.numel() else 0)


class slow_attention:  # noqa: N801 - a context, written like a function
    """Turns off the fused transformer, which calls no layer."""

    def __enter__(self) -> None:
        self.before = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)

    def __exit__(self, *error: object) -> None:
        torch.backends.mha.set_fastpath_enabled(self.before)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Computes in one thread: these tensors are small, and waiting threads cost more than they help."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=sorted(MODELS))
def model_name(request: pytest.FixtureRequest) -> str:
    """Every model in turn."""
    return request.param


@pytest.fixture(scope="session")
def make_model() -> Callable[..., nn.Module]:
    """Makes a model by name."""
    return make


@pytest.fixture(scope="session")
def make_items() -> Callable[..., Tensor]:
    """Makes items for a model by name."""
    return items


@pytest.fixture(scope="session")
def copies() -> Callable[..., Tensor]:
    """Computes the reference of the fast paths."""
    return explicit_copies


@pytest.fixture
def log_probs_T_N_C() -> Tensor:
    """Random predictions of 5 networks for 30 items."""
    logits = 2 * torch.randn(5, 30, CLASSES, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return logits.log_softmax(-1)


@pytest.fixture(scope="session")
def blobs() -> tuple[Tensor, Tensor]:
    """Four clusters in six dimensions, 60 items."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(60) % CLASSES
    centres = 2 * torch.randn(CLASSES, 6, generator=generator)
    return centres[targets] + torch.randn(60, 6, generator=generator), targets
