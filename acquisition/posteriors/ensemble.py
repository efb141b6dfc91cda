"""Deep ensemble: M networks of the same task, trained from different seeds.

A sample of the posterior is a member. Source: Lakshminarayanan et al. 2017, https://arxiv.org/abs/1612.01474.
Cost: M passes per item, together where the members are chains of equal Linear layers. Training: small heads
together (see ``stacked_training``), others one after the other.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from acquisition.checks import check_count
from acquisition.devices import usable
from acquisition.dropout.chains import flat
from acquisition.dropout.patching import not_in_place
from acquisition.dropout.written import own_code
from acquisition.errors import InvalidInput, NotStochastic
from acquisition.last_layer import last_input
from acquisition.randomness import derived_seed, generator
from acquisition.tasks import Task, check_task, task_of
from acquisition.training import Recipe, loaded, made, nth, tensors_of, train
from acquisition.types import Draw, Fitter, ModuleFactory, Progress
from acquisition.weights.stacked_networks import Looped, Networks, networks
from acquisition.weights.stacked_training import stackable, train_stacked, trainable
from acquisition.weights.weight_samples import KEPT_BYTES

FIRST_MEMBER_SEED = 2**20
WIDE = 2**15


def ensemble(models: Sequence[nn.Module], task: Task = "classification") -> Ensemble:
    """Makes a posterior of trained models, used as they are.

    Args:
        models: At least two different networks that return class scores (logits) of shape [N, C]. They are
            copied; dropout in them stays off.
        task: What the outputs mean, where they are not class scores.

    Raises:
        NotStochastic: One member, or two members with equal parameters.
    """
    if isinstance(models, nn.Module) and not isinstance(models, nn.ModuleList):
        raise InvalidInput(f"Expected a list of models, found one {type(models).__name__}.")
    members = list(models)
    for member in members:
        if not isinstance(member, nn.Module):
            raise InvalidInput(f"Expected torch.nn.Module members, found {type(member).__name__}.")
    _refuse_equal(members)
    return Ensemble([_frozen(member) for member in members], check_task(task))


def build(
    *,
    members: int = 5,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    device: str = "cpu",
) -> Fitter:
    """Returns the fitter; ``members`` is M, for the other options see ``Recipe``."""
    check_count("members", members)
    if members < 2:
        raise NotStochastic(
            "An ensemble of one member has no disagreement to measure; use members=2 or more."
        )
    recipe = Recipe.of(epochs, batch_size, learning_rate, weight_decay, device)
    return partial(_fit, recipe=recipe, members=members)


def _fit(
    module_factory: ModuleFactory,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    progress: Progress,
    recipe: Recipe,
    members: int,
) -> Ensemble:
    seeds = [derived_seed(seed, FIRST_MEMBER_SEED + m) for m in range(members)]
    modules = [made(module_factory, member_seed) for member_seed in seeds]
    if all(trainable(module) for module in modules):
        train_stacked(modules, inputs, targets, recipe=recipe, seeds=seeds, progress=progress)
    else:
        _train_in_turn(modules, inputs, targets, recipe, seeds, progress)
    return ensemble(modules, task_of(targets))


def _train_in_turn(
    modules: list[nn.Module],
    inputs: Tensor,
    targets: Tensor,
    recipe: Recipe,
    seeds: list[int],
    progress: Progress,
) -> None:
    for m, (module, seed) in enumerate(zip(modules, seeds, strict=True)):
        report = nth(progress, m, len(modules))
        train(module, inputs, targets, recipe=recipe, seed=seed, progress=report)


def restore(
    module_factory: ModuleFactory, state: Mapping[str, Tensor], *, task: Task = "classification"
) -> Ensemble:
    """Puts a saved state into new modules."""
    members: dict[int, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        number, _, name = key.partition(".")
        if not (number.isdecimal() and name):
            raise InvalidInput(f"{key!r} is no tensor of an ensemble; names like '0.weight' are expected.")
        members.setdefault(int(number), {})[name] = tensor
    return ensemble([loaded(module_factory, members[number]) for number in sorted(members)], task)


class Ensemble:
    """A posterior whose samples are its members; made by ``ensemble``."""

    def __init__(self, members: list[nn.Module], task: Task = "classification") -> None:
        self._members = members
        self.task = task
        self.max_samples = len(members)
        self._prepared: tuple[tuple[object, ...], Networks] | None = None
        last = flat(members[0])[-1]
        self.n_outputs = last.out_features if type(last) is nn.Linear else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        first = next(self._members[0].parameters(), None)
        return torch.device("cpu") if first is None else first.device

    def features(self, inputs: Tensor) -> Tensor:
        """Returns the inputs: the members share nothing."""
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
        numbers = tuple(draw.state["members"].tolist())
        with torch.inference_mode():
            logits_T_N_C = self._run(numbers, features)(features)
        if logits_T_N_C.dim() == 3:
            self.n_outputs = logits_T_N_C.shape[-1]
        return logits_T_N_C

    def _run(self, numbers: tuple[int, ...], features: Tensor) -> Networks:
        made_for = (numbers, features.dim())
        if self._prepared is None or self._prepared[0] != made_for:
            self._prepared = made_for, together([self._members[m] for m in numbers], features)
        return self._prepared[1]

    def embed(self, inputs: Tensor) -> Tensor:
        """Computes features_N_D: the members' last hidden layers side by side."""
        return torch.cat([last_input(member, inputs) for member in self._members], -1)

    def to(self, device: torch.device | str) -> Ensemble:
        """Returns this posterior on a device; itself where it is there already."""
        if usable(device) == self.device:
            return self
        return Ensemble([copy.deepcopy(member).to(device) for member in self._members], self.task)

    def state(self) -> dict[str, Tensor]:
        """Returns the members' tensors, named by member number and own name."""
        return {
            f"{m}.{name}": tensor
            for m, member in enumerate(self._members)
            for name, tensor in tensors_of(member).items()
        }


def looped(members: list[nn.Module], inputs: Tensor) -> Tensor:
    """Runs the members one after the other: faster on a CPU."""
    return torch.stack([member(inputs.clone() if own_code(member) else inputs) for member in members])


def together(members: list[nn.Module], inputs: Tensor) -> Networks:
    """Returns the fastest way to run the members: chains of equal layers as one, others in turn."""
    if alike(members) and (inputs.device.type != "cpu" or _wide(members[0])):
        states = [member.state_dict() for member in members]
        if sum(tensor.nbytes for state in states for tensor in state.values()) <= KEPT_BYTES:
            stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
            run = networks(members[0], stacked, inputs)
            if not isinstance(run, Looped):
                return run
    return partial(looped, members)


def _wide(member: nn.Module) -> bool:
    """Whether products outweigh the copies between the layers; else the loop is quicker."""
    return max(parameter.numel() for parameter in member.parameters()) >= WIDE


def alike(members: list[nn.Module]) -> bool:
    """Whether all members are chains of equal layers and shapes, so that one can stand for all."""
    first = members[0]
    chains = all(stackable(member) for member in members)
    return chains and all(str(member) == str(first) for member in members)


def _frozen(member: nn.Module) -> nn.Module:
    frozen = copy.deepcopy(member).eval()
    if not own_code(frozen):
        not_in_place(frozen.modules())  # the members share their input
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return frozen


def _refuse_equal(members: list[nn.Module]) -> None:
    if len(members) < 2:
        raise NotStochastic(f"An ensemble needs at least two members, found {len(members)}.")
    for (a, first), (b, second) in itertools.combinations(enumerate(members), 2):
        if first is second or _equal(first.state_dict(), second.state_dict()):
            raise NotStochastic(
                f"Members {a} and {b} have equal parameters and would never disagree. "
                "Train them from different seeds."
            )


def _equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    return bool(first) and first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)


def _same(first: Tensor, second: Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first.cpu(), second.cpu())
