"""A network cut in two: what comes before its last Linear layer, and that layer's weights.

The cut is checked on items: the two parts together have to give what the whole gives, so a network that
does something after its last Linear layer, or uses it twice, is refused and not approximated in
silence.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from acquisition.errors import InvalidInput
from acquisition.heads import Homoscedastic
from acquisition.tasks import Task

CHUNK_ROWS = 512
CHECKED_ITEMS = 8


class Cut(NamedTuple):
    """A network without its last Linear layer.

    Attributes:
        trunk: Items → [N, D], or [N, D + 1] where a log variance that no weight of the layer makes is last.
        weights_C_P: The layer's weights, its bias in the last column: P = D + 1.
    """

    trunk: Trunk
    weights_C_P: Tensor


class _Reached(Exception):
    """Carries what the last layer was given out of the network."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features


class _End(nn.Module):
    """Takes the place of the last layer."""

    def forward(self, features: Tensor) -> Tensor:
        raise _Reached(features)


class _Aside(nn.Module):
    """Takes the place of a ``Homoscedastic`` head: the features, and its log variance beside them."""

    def __init__(self, head: Homoscedastic) -> None:
        super().__init__()
        self.register_buffer("log_variance", head.log_variance.detach().clone())

    def forward(self, features_N_D: Tensor) -> Tensor:
        log_variance = self.get_buffer("log_variance").to(features_N_D)
        raise _Reached(torch.cat([features_N_D, log_variance.expand(len(features_N_D), 1)], -1))


class Trunk(nn.Module):
    """A network up to its last layer; what comes after that does not run."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, inputs: Tensor) -> Tensor:
        """Computes what the last layer is given."""
        try:
            self.body(inputs)
        except _Reached as reached:
            return reached.features
        raise InvalidInput("The last layer of the model did not run for these items.")


def last_linear(module: nn.Module, inputs: Tensor) -> int:
    """Finds the Linear layer that runs last, as its position in ``module.modules()``.

    Raises:
        InvalidInput: No Linear layer runs.
    """
    called: list[int] = []

    def note(position: int) -> Any:
        return lambda *_: called.append(position)

    layers = list(module.modules())
    hooks = [m.register_forward_pre_hook(note(n)) for n, m in enumerate(layers) if isinstance(m, nn.Linear)]
    try:
        with torch.inference_mode():
            module(inputs[:2])
    finally:
        for hook in hooks:
            hook.remove()
    if not called:
        raise InvalidInput(f"{type(module).__name__} runs no nn.Linear, so it has no last layer to work on.")
    return called[-1]


def cut(module: nn.Module, position: int) -> Cut:
    """Cuts a copy of a network, frozen and in evaluation mode, at one of its Linear layers."""
    holder = nn.Sequential(copy.deepcopy(module)).eval()
    layers = list(holder.modules())[1:]
    layer = layers[position]
    assert isinstance(layer, nn.Linear)
    heads = [m for m in layers if isinstance(m, Homoscedastic) and m.mean is layer]
    _replace(holder, heads[0] if heads else layer, _Aside(heads[0]) if heads else _End())
    for parameter in holder.parameters():
        parameter.requires_grad_(False)
    return Cut(Trunk(next(iter(holder))), _with_bias(layer))


def check_cut(found: Cut, module: nn.Module, inputs: Tensor, task: Task) -> None:
    """Refuses a cut whose parts do not give what the whole gives; of classes the probabilities count.

    Raises:
        InvalidInput: The network does more after its last Linear layer.
    """
    some = inputs[:CHECKED_ITEMS]
    with torch.inference_mode():
        whole = module(some)
        features = found.trunk(some)
        fits = features.dim() == 2 and features.shape[1] - found.weights_C_P.shape[1] in (-1, 0)
        parts = outputs(found.weights_C_P[None], features)[0] if fits else None
        if task == "classification" and parts is not None:
            whole, parts = whole.log_softmax(-1), parts.log_softmax(-1)
    scale = 1 + float(whole.abs().max())
    if parts is None or parts.shape != whole.shape or float((parts - whole).abs().max()) > 1e-4 * scale:
        raise InvalidInput(
            f"The outputs of {type(module).__name__} are not what its last nn.Linear gives for one row of "
            "features per item. Let the model end with that layer (logits), or with acquisition.heads."
        )


def outputs(weights_T_C_P: Tensor, features: Tensor) -> Tensor:
    """Computes the outputs [T, N, C] of T last layers by one matrix product for all T.

    Features [N, P] are those of a cut with a log variance beside them, which is put behind the mean.
    """
    n_layers, n_outputs, width = weights_T_C_P.shape
    aside = features.shape[1] == width
    features_N_D = features[:, : width - 1]
    weights_TC_P = weights_T_C_P.flatten(0, 1)
    found_TC_N = torch.addmm(weights_TC_P[:, -1:], weights_TC_P[:, :-1], features_N_D.T)
    found_T_N_C = found_TC_N.view(n_layers, n_outputs, -1).transpose(1, 2)
    if not aside:
        return found_T_N_C
    log_variance_T_N_1 = features[:, -1:].expand(n_layers, -1, -1)
    return torch.cat([found_T_N_C, log_variance_T_N_1], -1)


def trunk_features(trunk: nn.Module, inputs: Tensor) -> Tensor:
    """Runs the trunk over items in chunks."""
    with torch.inference_mode():
        return torch.cat([trunk(chunk) for chunk in torch.split(inputs, CHUNK_ROWS)]).clone()


def _replace(holder: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(holder.modules()):
        for name, child in list(parent._modules.items()):
            if child is old:
                setattr(parent, name, new)


def _with_bias(layer: nn.Linear) -> Tensor:
    weight_C_D = layer.weight.detach()
    bias_C = weight_C_D.new_zeros(len(weight_C_D)) if layer.bias is None else layer.bias.detach()
    return torch.cat([weight_C_D, bias_C[:, None]], 1)
