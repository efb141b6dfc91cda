"""Which layers of a network get LoRA adapters, which are trained in full, and the way in through peft."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from acquisition.errors import InvalidInput, InvalidOption
from acquisition.heads import Homoscedastic
from acquisition.randomness import forked

HEADS = frozenset({"classifier", "pre_classifier", "score"})


def head_parameters(network: nn.Module, names: Sequence[str] | None) -> frozenset[str]:
    """Names the parameters of the head.

    Args:
        network: As the factory made it.
        names: Modules, by their whole name or the end of it; None for those named as in ``HEADS``, or the
            last ``nn.Linear`` (with the noise of a ``Homoscedastic``) where there is none.

    Raises:
        InvalidInput: There is no ``nn.Linear`` among these.
    """
    modules, linear = dict(network.named_modules()), _linear(network)
    if names is None:
        known = [name for name in modules if name.rpartition(".")[2] in HEADS]
        chosen = known or [_with_noise(network, name) for name in linear[-1:]]
    else:
        chosen = [name for name in modules if _named(name, names)]
    if not any(_within(name, module) for name in linear for module in chosen):
        raise InvalidInput(
            "The model has no head for LoRA: an nn.Linear at its end, or modules given by the option head. "
            f"Its linear layers are: {', '.join(linear) or 'none'}."
        )
    return frozenset(n for n, _ in network.named_parameters() if any(_within(n, m) for m in chosen))


def target_layers(network: nn.Module, names: Sequence[str] | None, head: Iterable[str]) -> list[str]:
    """Names the layers that get an adapter.

    Args:
        network: As the factory made it.
        names: Layers, by their whole name or the end of it; None for those that peft proposes for the
            architecture, or every ``nn.Linear`` where it knows none.
        head: Parameters whose layers are trained in full and get none.

    Raises:
        InvalidInput: There is no such layer.
    """
    owners = {name.rpartition(".")[0] for name in head}
    attention = [n for n, m in network.named_modules() if isinstance(m, nn.MultiheadAttention)]
    kept = [name for name, _ in network.named_modules() if name and name not in owners]
    # torch's own attention reads the weights of its layers itself and would skip an adapter in them.
    free = [name for name in kept if not any(_within(name, whole) for whole in attention)]
    wanted, linear = names or _proposed(network), [name for name in _linear(network) if name in free]
    found = linear if wanted is None else [name for name in free if _named(name, wanted)]
    if not found:
        asked = "of type nn.Linear" if wanted is None else f"named {' or '.join(wanted)}"
        known = f"; it has {', '.join(linear[:8])}" if linear else ""
        raise InvalidInput(f"The model has no layer {asked} for LoRA adapters beside its head{known}.")
    return found


def injected(network: nn.Module, targets: Sequence[str], rank: int, alpha: float) -> nn.Module:
    """Puts an adapter beside each of the layers, in place.

    Raises:
        InvalidInput: Layers of a kind that peft can not adapt.
        InvalidOption: peft is missing.
    """
    peft = _peft()
    exact = "|".join(map(re.escape, targets))
    transposed = any(type(network.get_submodule(name)).__name__ == "Conv1D" for name in targets)
    config = peft.LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=f"(?:{exact})", fan_in_fan_out=transposed, lora_dropout=0.0
    )
    try:
        with forked(0):  # peft draws first weights of its own, which are set anew for each seed
            found: nn.Module = peft.inject_adapter_in_model(config, network)
    except ValueError as error:
        raise InvalidInput(f"peft can not adapt these layers: {str(error).splitlines()[0]}") from error
    return found.eval()


def _linear(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]


def _with_noise(network: nn.Module, name: str) -> str:
    parent = name.rpartition(".")[0]
    return parent if isinstance(network.get_submodule(parent), Homoscedastic) else name


def _proposed(network: nn.Module) -> tuple[str, ...] | None:
    """Looks up what peft proposes for the first architecture of transformers inside the network."""
    kinds = [getattr(getattr(m, "config", None), "model_type", None) for m in network.modules()]
    known = _peft().utils.constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    found = (known.get(kind) for kind in kinds)
    return next((tuple(names) for names in found if isinstance(names, list)), None)  # one is a pattern


def _named(name: str, wanted: Iterable[str]) -> bool:
    return any(name == end or name.endswith(f".{end}") for end in wanted)


def _within(name: str, module: str) -> bool:
    return not module or name == module or name.startswith(f"{module}.")


def _peft() -> Any:
    try:
        import peft
        import peft.utils.constants
    except ImportError as error:
        raise InvalidOption(
            "LoRA needs the library peft, which can not be imported. Type `pip install "
            '"active-labeling-workbench[lora]"`, or choose another posterior.'
        ) from error
    return peft
