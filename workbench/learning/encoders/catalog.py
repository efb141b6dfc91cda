"""The encoders, in one table."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from workbench.domain.errors import ModelProblem
from workbench.learning.calling import DOCTOR, call
from workbench.learning.dotted import load_callable
from workbench.learning.encoders import features, image, sentence, text
from workbench.learning.encoders.protocol import Encoder

BUILT_IN: Mapping[str, Callable[..., Encoder]] = {
    "image": image.build,
    "text": text.build,
    "sentence": sentence.build,
    "features": features.build,
}


def build_encoder(
    name: str, options: Mapping[str, Any], *, transform: str | None, project_root: Path | None
) -> Encoder:
    """Build an encoder.

    Args:
        name: One of the table.
        options: Of the user.
        transform: For pictures: ``package.module:function`` of the user's own.
        project_root: The folder of ``workbench.toml``, where the user's modules may lie.

    Raises:
        ModelProblem: An unknown name, option or value, or a transform that can not be imported.
    """
    if name not in BUILT_IN:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ModelProblem(f"Found the encoder {name!r}; known are {', '.join(BUILT_IN)}.{hint} {DOCTOR}")
    extra: dict[str, Any] = {}
    if transform is not None:
        if name != "image":
            raise ModelProblem(f"A transform is for pictures; the encoder {name!r} has none. Leave it out.")
        extra["transform"] = load_callable(transform, project_root)
    return cast(Encoder, call(f"The encoder {name}", BUILT_IN[name], options, extra))
