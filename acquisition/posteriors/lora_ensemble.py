"""LoRA ensemble: M small adaptations of one frozen network, trained from different seeds.

A sample of the posterior is a member: its LoRA adapters and its own head, f(x; W + (α/r)·B_m·A_m, head_m).
The frozen W is in memory once for all members and in no saved state. For pretrained transformers that are
adapted to few labels; for a network that starts from random weights take ``ensemble``.

Cost: M trainings of the adapters; M passes per item, one after the other. Memory: one W and M times
adapters and head. Tune ``rank``, ``learning_rate`` and ``members`` (5 to 10).

Source: Wang et al. 2023, https://arxiv.org/abs/2310.00035. Needs the extra ``lora``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.errors import InvalidInput, NotStochastic
from acquisition.lora.adaptation import Adapted, Lora, adapted, readapted, row_chunks
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import Task, task_of
from acquisition.training import Recipe, nth, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress

FIRST_MEMBER_SEED = 2**20


def build(
    *,
    members: int = 5,
    rank: int = 8,
    alpha: float = 16.0,
    targets: Sequence[str] | None = None,
    head: Sequence[str] | None = None,
    fresh_head: bool = True,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; ``members`` is M, for the other options see ``Lora`` and ``Recipe``."""
    check_count("members", members)
    if members < 2:
        raise NotStochastic(
            "An ensemble of one member has no disagreement to measure; use members=2 or more."
        )
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(
        _fit,
        recipe=recipe,
        members=members,
        lora=Lora.of(rank, alpha, targets, head, fresh_head=fresh_head),
    )


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    members: int,
    lora: Lora,
) -> LoraEnsemble:
    network, found = adapted(module_factory, lora), []
    for m in range(members):
        member_seed = derived_seed(seed, FIRST_MEMBER_SEED + m)
        network.restart(member_seed, fresh_head=lora.fresh_head)
        report = nth(progress, m, members)
        train(network, inputs, targets, recipe=recipe, seed=member_seed, progress=report)
        found.append(network.trained())
    return LoraEnsemble(network, found, task_of(targets))


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> LoraEnsemble:
    """Puts a saved state beside the frozen weights of the factory."""
    members: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        number, _, name = key.partition(".")
        if number.isdecimal() and name:
            members.setdefault(int(number), {})[name] = tensor.clone()
    if not members:
        raise InvalidInput("The saved state is none of a LoRA ensemble: it holds no member.")
    found = [members[number] for number in sorted(members)]
    return LoraEnsemble(readapted(module_factory, state, found[0]), found, task)


class LoraEnsemble:
    """A posterior whose samples are adaptations of one network."""

    def __init__(self, network: Adapted, members: list[dict[str, Tensor]], task: Task) -> None:
        _refuse_equal(members)
        self._network, self._members, self.task = network, members, task
        self.max_samples = len(members)
        self.n_outputs = network.n_outputs()

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self._network.device

    def features(self, inputs: Tensor) -> Tensor:
        """Returns the inputs: adapters sit in the first layers too."""
        return inputs

    def draw(self, n_samples: int, *, seed: int) -> Draw:
        """Takes all members, or as many as asked for in an order of the seed."""
        check_count("n_samples", n_samples)
        everyone = torch.arange(self.max_samples)
        if n_samples < self.max_samples:
            everyone = torch.randperm(self.max_samples, generator=generator(seed))[:n_samples]
        return Draw(state={"members": everyone})

    def forward(self, draw: Draw, features: Tensor) -> Tensor:
        """Computes logits_T_N_C."""
        members = [self._members[m] for m in draw.state["members"].tolist()]
        with torch.inference_mode():
            return torch.cat(
                [torch.stack([self._network.run(m, rows) for m in members]) for rows in row_chunks(features)],
                1,
            )

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D: what the members' heads are given, side by side."""
        with torch.inference_mode():
            rows = row_chunks(inputs)
            return torch.cat(
                [torch.cat([self._network.embed(m, some) for m in self._members], -1) for some in rows]
            )

    def to(self, device: torch.device | str) -> LoraEnsemble:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        members = [{name: tensor.to(device) for name, tensor in m.items()} for m in self._members]
        return LoraEnsemble(self._network.moved(device), members, self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the members' tensors by number and name, and the hash of the weights they belong to."""
        own = {f"{m}.{n}": t.clone() for m, member in enumerate(self._members) for n, t in member.items()}
        return {**self._network.fixed(), **own}


def _refuse_equal(members: list[dict[str, Tensor]]) -> None:
    if len(members) < 2:
        raise NotStochastic(f"An ensemble needs at least two members, found {len(members)}.")
    for (a, first), (b, second) in itertools.combinations(enumerate(members), 2):
        if all(torch.equal(first[name], second[name]) for name in first):
            raise NotStochastic(f"Members {a} and {b} have equal parameters and would never disagree.")
