"""A frozen network with small trained parts: LoRA adapters beside its weight layers, and its head in full.

An adapted layer computes W·x + (α/r)·B·A·x, with W frozen, A of shape [r, inputs], and B of shape [outputs,
r] that starts at zero (Hu et al. 2021, https://arxiv.org/abs/2106.09685). The layers come from peft, the
extra ``lora``. The frozen weights belong to the model of the factory: they are in memory once and in no
saved state, which names them by their hash.
"""

from __future__ import annotations

import copy
import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from acquisition.checks import check_count
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.heads import Homoscedastic
from acquisition.lora.layers import head_parameters, injected, target_layers
from acquisition.randomness import derived_seed, forked
from acquisition.training import made
from acquisition.types import ModuleFactory

BASE_SEED, FRESH_SEED = 0, 2**21
ADAPTER = re.compile(r"(.+)\.lora_(?:embedding_)?[AB](?:\.|$)")
FIRST_FACTOR = re.compile(r"(.+)\.lora_(?:embedding_)?A(?:\.|$)")
CHUNK_NUMBERS, CHUNK_ROWS = 2**13, 512


class Lora(NamedTuple):
    """Where the adapters go and how large they are.

    Attributes:
        rank: r.
        alpha: α; the adapter's output is multiplied by α / r.
        targets: Layers by name, whole or the end of it ("query" for "encoder.0.query"); None for those that
            peft proposes for the architecture, or every ``nn.Linear`` outside the head where it knows none.
        head: Modules trained in full, by name; None for those named classifier, pre_classifier or score, or
            the last ``nn.Linear`` where there is none of these.
        fresh_head: Whether the head starts from new random weights; else from those of the factory.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] | None
    head: tuple[str, ...] | None
    fresh_head: bool

    @classmethod
    def of(
        cls,
        rank: int,
        alpha: float,
        targets: Sequence[str] | None,
        head: Sequence[str] | None,
        *,
        fresh_head: bool,
    ) -> Lora:
        """Checks the options.

        Raises:
            InvalidOption: A value outside its range.
        """
        check_count("rank", rank)
        if not 0 < alpha < math.inf:
            raise InvalidOption(f"alpha is {alpha!r}; a number above 0 is expected.")
        return cls(rank, float(alpha), _names("targets", targets), _names("head", head), fresh_head)


def _names(option: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not names or not all(isinstance(name, str) for name in names):
        raise InvalidOption(f"{option} is {names!r}; a list of module names is expected.")
    return tuple(names)


class Adapted(nn.Module):
    """A network whose base is frozen; it runs with its own trained tensors or with given ones.

    Attributes:
        network: The user's module with adapters in it.
        sha256: Of the frozen weights.
        alpha: α of the adapters.
        head: Names of the head's parameters.
    """

    def __init__(self, network: nn.Module, sha256: Tensor, alpha: float, head: frozenset[str]) -> None:
        super().__init__()
        self.network, self.sha256, self.alpha, self.head = network, sha256, alpha, head
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in head or ADAPTER.match(name) is not None)

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes the outputs with the tensors in place."""
        return self.run({}, inputs)

    def run(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Computes the outputs with other trained tensors."""
        with _every_layer_called():
            outputs: Tensor = functional_call(self.network, dict(tensors), (inputs,))
        return outputs

    def train(self, mode: bool = True) -> Adapted:
        """Sets the mode; batch statistics belong to the base and stay frozen in both."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.eval()
        return self

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.network.parameters()).device

    def trained(self) -> dict[str, Tensor]:
        """Copies the adapters and the head."""
        return {n: p.detach().clone() for n, p in self.network.named_parameters() if p.requires_grad}

    def restart(self, seed: int, *, fresh_head: bool) -> None:
        """Sets the adapters, and the head where wanted, to initial weights of the seed."""
        owners = [name.rpartition(".")[0] for name in sorted(self.head)] if fresh_head else []
        with forked(derived_seed(seed, FRESH_SEED)):
            for module in self.network.modules():
                _reset_adapter(module)
            for name in dict.fromkeys(owners):
                _reset(self.network.get_submodule(name))

    def embed(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Computes features_N_D, the input of the head's last layer; the mean where it sees every token."""
        given: list[Tensor] = []
        hook = self._last_linear().register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
        try:
            self.run(tensors, inputs)
        finally:
            hook.remove()
        return given[-1].flatten(1, -2).mean(1) if given[-1].dim() > 2 else given[-1]

    def n_outputs(self) -> int:
        """Counts the outputs of the last layer; two where a noise that is one for all is added to a mean."""
        noisy = any(isinstance(module, Homoscedastic) for module in self.network.modules())
        return 2 if noisy else self._last_linear().out_features

    def _last_linear(self) -> nn.Linear:
        owners = {name.rpartition(".")[0] for name in self.head}
        found = [m for n, m in self.network.named_modules() if n in owners and isinstance(m, nn.Linear)]
        return found[-1]

    def fixed(self) -> dict[str, Tensor]:
        """Returns what the states of all methods hold of the base: its hash, its buffers and α."""
        parameters = dict(self.network.named_parameters())
        buffers = {
            f"buffers.{name}": tensor.detach().clone()
            for name, tensor in self.network.state_dict().items()
            if name not in parameters
        }
        return {"base.sha256": self.sha256, "base.alpha": torch.tensor(self.alpha), **buffers}

    def moved(self, device: torch.device | str) -> Adapted:
        """Copies the network to a device."""
        return copy.deepcopy(self).to(device)


def adapted(module_factory: ModuleFactory, lora: Lora) -> Adapted:
    """Makes the base and puts adapters into it.

    A factory that starts from random weights gives the same base every time: its seed is fixed.

    Raises:
        InvalidInput: A network without a layer for adapters or without a head.
        InvalidOption: peft is missing, or a name that no layer has.
    """
    network = made(module_factory, BASE_SEED, copied=False).eval()
    head = head_parameters(network, lora.head)
    targets = target_layers(network, lora.targets, head)
    sha256 = base_hash(network, head)
    return Adapted(injected(network, targets, lora.rank, lora.alpha), sha256, lora.alpha, head)


def readapted(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], trained: Mapping[str, Tensor]
) -> Adapted:
    """Makes the network of a saved state.

    Raises:
        InvalidInput: The factory's frozen weights are not those that the adapters were trained beside.
    """
    network = made(module_factory, BASE_SEED, copied=False).eval()
    head = frozenset(name for name in trained if not ADAPTER.match(name))
    sha256 = base_hash(network, head)
    if "base.sha256" not in state or not torch.equal(sha256, state["base.sha256"].cpu()):
        raise InvalidInput(
            "The saved state does not fit the model of the factory: its frozen weights are others than those "
            "that the adapters were trained beside. Let the factory load the same pretrained model."
        )
    alpha, ranks = float(state["base.alpha"]), _ranks(trained)
    found = Adapted(injected(network, list(ranks), max(ranks.values()), alpha), sha256, alpha, head)
    _load_buffers(found, state)
    return found.eval()


def _ranks(trained: Mapping[str, Tensor]) -> dict[str, int]:
    layers = {match[1]: tensor for name, tensor in trained.items() if (match := FIRST_FACTOR.match(name))}
    return {name: len(tensor) for name, tensor in layers.items()}


def _load_buffers(found: Adapted, state: Mapping[str, Tensor]) -> None:
    expected, own = found.fixed(), found.network.state_dict()
    for key in expected:
        if key.startswith("buffers."):
            if key not in state or state[key].shape != expected[key].shape:
                raise InvalidInput(
                    f"The saved state does not fit the model of the factory: {key} is missing."
                )
            own[key.removeprefix("buffers.")].copy_(state[key])


def base_hash(network: nn.Module, head: Iterable[str]) -> Tensor:
    """Hashes the frozen weights: names, types, shapes and bytes; SHA-256 as 32 numbers of one byte."""
    digest, left_out = hashlib.sha256(), set(head)
    for name, parameter in network.named_parameters():
        if name not in left_out:
            digest.update(f"{name} {parameter.dtype} {list(parameter.shape)}\n".encode())
            values = parameter.detach().cpu().contiguous().flatten().view(torch.uint8)
            digest.update(values.numpy().tobytes())
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)


def _reset_adapter(module: Any) -> None:
    if hasattr(module, "reset_lora_parameters"):
        module.reset_lora_parameters("default", True)


def _reset(module: Any) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()


def row_chunks(inputs: Tensor) -> Iterator[Tensor]:
    """Cuts items so that the activations of long ones fit into memory."""
    rows = max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // max(1, inputs[:1].numel())))
    return (inputs[first : first + rows] for first in range(0, len(inputs), rows))


@contextmanager
def _every_layer_called() -> Iterator[None]:
    """Turns off torch's fused transformer layer: it reads the weights itself and would skip the adapters."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
