"""The network as it is trained and saved: the model, in front of it the scale of numeric features.

It remembers the shape of one item in a buffer, so that its saved tensors are all that is needed to make
it again. It is a plain ``nn.Sequential``: the scorer's fast paths see through it.
"""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from workbench.domain.errors import ArtifactProblem
from workbench.learning.checkpoint import REMEDY
from workbench.learning.encoders.features import Scale
from workbench.learning.models.catalog import model_builder
from workbench.learning.spec import LearnerSpec

SHAPE = "input_shape"
SCALED = frozenset({"features"})


def network_factory(
    spec: LearnerSpec, input_shape: tuple[int, ...], scale: Scale | None
) -> Callable[[], nn.Module]:
    """Bind a configuration to the shape of its items; each call makes a new network.

    Raises:
        ModelProblem: There is no such model; from the call when it can not be built.
    """
    build = model_builder(
        spec.model,
        spec.model_options,
        input_shape=input_shape,
        n_classes=len(spec.classes),
        project_root=spec.project_root,
    )

    def make() -> nn.Module:
        front = [] if scale is None else [copy.deepcopy(scale)]
        network = nn.Sequential(*front, build())
        network.register_buffer(SHAPE, torch.tensor(input_shape, dtype=torch.int64))
        return network

    return make


def saved_shape(state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Find the shape of one item among the tensors of a posterior.

    Raises:
        ArtifactProblem: It is not there.
    """
    for name, tensor in state.items():
        if name.rpartition(".")[2] == SHAPE:
            return tuple(tensor.flatten().tolist())
    raise ArtifactProblem(f"Found no {SHAPE} in the checkpoint; expected one of this version. {REMEDY}")
