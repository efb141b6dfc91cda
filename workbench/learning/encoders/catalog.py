"""The encoders, in one table."""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from workbench.domain.errors import ModelProblem
from workbench.learning.calling import DOCTOR, call
from workbench.learning.dotted import load_callable
from workbench.learning.encoders import features, image, sentence, text, vision
from workbench.learning.encoders.frozen import Kept
from workbench.learning.encoders.protocol import Encoder

BUILT_IN: Mapping[str, Callable[..., Encoder]] = {
    "image": image.build,
    "text": text.build,
    "sentence": sentence.build,
    "vision": vision.build,
    "features": features.build,
}
#: Those that never change: what they make of an item can be kept.
FROZEN = frozenset({"sentence", "vision"})


def build_encoder(
    name: str,
    options: Mapping[str, Any],
    *,
    transform: str | None,
    project_root: Path | None,
    features_folder: Path | None = None,
) -> Encoder:
    """Build an encoder.

    Args:
        name: One of the table.
        options: Of the user.
        transform: For pictures: ``package.module:function`` of the user's own.
        project_root: The folder of ``workbench.toml``, where the user's modules may lie.
        features_folder: Where a frozen encoder keeps what it computed; None keeps nothing.

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
    encoder = call(f"The encoder {name}", BUILT_IN[name], options, extra)
    if name in FROZEN and features_folder is not None:
        return Kept(encoder, features_folder)
    return cast(Encoder, encoder)
