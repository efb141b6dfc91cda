"""The built-in models, in one table, and the way to a user's own."""

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from workbench.domain.errors import ModelProblem
from workbench.learning.calling import DOCTOR, call
from workbench.learning.dotted import load_callable
from workbench.learning.models import cnn, mlp, text

BUILT_IN: Mapping[str, Callable[..., nn.Module]] = {
    "cnn": cnn.build,
    "mlp": mlp.build,
    "text": text.build,
}


def find_model(name: str, project_root: Path | None) -> Callable[..., Any]:
    """Find a model's factory.

    Args:
        name: ``cnn``, ``mlp``, ``text``, or ``package.module:function`` of the user's own.
        project_root: The folder of ``workbench.toml``, where the user's modules may lie.

    Raises:
        ModelProblem: Neither a known name nor something that can be imported and called.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if "." not in name and ":" not in name:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ModelProblem(
            f"Found the model {name!r}; known are {', '.join(BUILT_IN)}, and 'package.module:function' for "
            f"your own.{hint} Change it in workbench.toml. {DOCTOR}"
        )
    return load_callable(name, project_root)


def model_builder(
    name: str,
    options: Mapping[str, Any],
    *,
    input_shape: tuple[int, ...],
    n_classes: int,
    project_root: Path | None,
) -> Callable[[], nn.Module]:
    """Bind a model's factory to its arguments; each call makes a new network.

    The factory gets ``n_classes`` and ``input_shape`` where its signature has them, and all options.

    Raises:
        ModelProblem: From here when there is no such model; from the call when it can not be built.
    """
    offered = {"n_classes": n_classes, "input_shape": input_shape}
    return partial(_build, name, find_model(name, project_root), options, offered)


def _build(
    name: str, factory: Callable[..., Any], options: Mapping[str, Any], offered: Mapping[str, Any]
) -> nn.Module:
    module = call(f"The model {name}", factory, options, offered)
    if not isinstance(module, nn.Module):
        raise ModelProblem(
            f"The model {name} returned {type(module).__name__}, expected a torch.nn.Module. "
            f"Let the function return the network. {DOCTOR}"
        )
    return module
