"""The network as it is trained and saved: the model, in front of it the scale of numeric features.

It is a plain ``nn.Sequential``: the scorer's fast paths see through it.
"""

import copy
from collections.abc import Callable

from torch import nn

from workbench.learning.encoders.features import Scale
from workbench.learning.models.catalog import model_builder
from workbench.learning.spec import LearnerSpec

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
        return nn.Sequential(*front, build())

    return make
