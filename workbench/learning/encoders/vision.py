"""Pictures as features of a pretrained vision model, which stays as it is; needs the extra ``vision``.

The model's own preprocessing is applied, in PIL and numpy: torchvision is not needed. One row per picture
comes from, in this order: the image features of a model of pictures and texts (CLIP); the pooled output,
where its weights are in the checkpoint; the class token; the mean over tokens or places.
"""

import hashlib
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.learning.calling import DOCTOR
from workbench.learning.encoders.frozen import embedded, identity_of
from workbench.learning.encoders.image import opened, unreadable
from workbench.learning.encoders.protocol import Payload

DEFAULT_MODEL = "facebook/dinov2-small"
POOLINGS = ("auto", "pooler", "class", "mean")


def build(
    *, model: str = DEFAULT_MODEL, pooling: str = "auto", batch_size: int = 32, device: str = "cpu"
) -> "Vision":
    """Build the encoder; the model is loaded when the first picture is encoded.

    Args:
        model: A folder with a vision model of transformers, or a name that can be downloaded.
        pooling: ``auto`` for the order above, ``pooler`` for the pooled output, ``class`` for the class
            token, ``mean`` for the mean over tokens or places.
        batch_size: Pictures per pass.
        device: Where to compute.

    Raises:
        ModelProblem: A value outside its range.
    """
    if pooling not in POOLINGS:
        raise ModelProblem(f"pooling is {pooling!r}; expected one of {', '.join(POOLINGS)}. {DOCTOR}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ModelProblem(f"batch_size is {batch_size!r}; expected a whole number of at least 1. {DOCTOR}")
    return Vision(model, pooling, batch_size, device)


class _Loaded(NamedTuple):
    """A model and how its pictures are prepared.

    Attributes:
        model: In evaluation mode.
        processor: Of transformers, working on PIL pictures.
        missing: Names of tensors that the checkpoint lacks, so they are random.
    """

    model: Any
    processor: Any
    missing: frozenset[str]


class Vision:
    """Features of pictures; holds the loaded model."""

    rows_at_once = 256

    def __init__(self, model: str, pooling: str, batch_size: int, device: str) -> None:
        self._name, self._pooling, self._batch_size, self._device = model, pooling, batch_size, device
        self._held: _Loaded | None = None

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode pictures as [B, features of the model] in float32."""
        firsts = range(0, len(payloads), self._batch_size)
        rows = [self._batch(payloads[first : first + self._batch_size]) for first in firsts]
        return torch.cat(rows) if rows else torch.empty(0, 1)

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        """Compute the embeddings themselves."""
        return embedded(self, [payloads])

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:  # noqa: ARG002 - nothing is drawn
        """Compute the features themselves."""
        return embedded(self, batches)

    def identity(self) -> str:
        """Hash the weights, the preprocessing, the pooling, and the library."""
        model, processor, _ = self._loaded()
        config = {key: value for key, value in model.config.to_dict().items() if key != "_name_or_path"}
        told = {
            "encoder": "vision",
            "model": [type(model).__name__, config],
            "preprocessing": [type(processor).__name__, processor.to_dict()],
            "pooling": self._pooling,
            "device": torch.device(self._device).type,
            "libraries": [version("transformers"), version("pillow")],
        }
        return identity_of(model, told)

    def content(self, payload: Payload) -> bytes:
        """Return the hash of the file: a picture that is replaced is another one."""
        try:
            return hashlib.sha256(Path(payload["path"]).read_bytes()).digest()
        except OSError as error:
            raise unreadable(payload["path"], error) from error

    def _batch(self, payloads: Sequence[Payload]) -> Tensor:
        loaded = self._loaded()
        pictures = [opened(payload["path"], "RGB", None) for payload in payloads]
        try:
            pixels = loaded.processor(images=pictures, return_tensors="pt")["pixel_values"]
            with torch.inference_mode():
                rows_B_D = _pooled(loaded, pixels.to(self._device), self._pooling)
        except (RuntimeError, ValueError, TypeError) as error:
            first = next(iter(str(error).splitlines()), "no message")
            raise ModelProblem(
                f"The vision model {self._name!r} can not take the pictures: {first}. Expected a model that "
                f"takes pixel_values alone. Set model in encoder_options. {DOCTOR}"
            ) from error
        return rows_B_D.float().cpu().clone()

    def _loaded(self) -> _Loaded:
        if self._held is None:
            loaded = _load(self._name, self._device)
            _refuse_random(self._name, loaded, self._pooling)
            self._held = loaded
        return self._held


def _pooled(loaded: _Loaded, pixels: Tensor, pooling: str) -> Tensor:
    if pooling == "auto" and hasattr(loaded.model, "get_image_features"):
        found = loaded.model.get_image_features(pixel_values=pixels)
        return found if isinstance(found, Tensor) else _pooler(found)
    inner = getattr(loaded.model, "vision_model", loaded.model)
    output = inner(pixel_values=pixels)
    pooler = getattr(output, "pooler_output", None)
    if pooling == "pooler" or (pooling == "auto" and pooler is not None and not _random_pooler(loaded)):
        return _pooler(output)
    hidden: Tensor = output.last_hidden_state
    if hidden.dim() == 4:
        return hidden.mean((2, 3))
    by_class = pooling == "class" or (pooling == "auto" and _has_class_token(loaded.model))
    return hidden[:, 0] if by_class else hidden.mean(1)


def _pooler(output: Any) -> Tensor:
    found: Tensor | None = getattr(output, "pooler_output", None)
    if found is None:
        raise ValueError("it has no pooled output; use another pooling")
    return found.flatten(1)


def _random_pooler(loaded: _Loaded) -> bool:
    return any("pooler" in name for name in loaded.missing)


def _has_class_token(model: Any) -> bool:
    names = (name.rpartition(".")[2] for name, _ in model.named_parameters())
    return any(name in ("cls_token", "class_embedding") for name in names)


def _refuse_random(name: str, loaded: _Loaded, pooling: str) -> None:
    """Refuse weights that the checkpoint lacks: each loading would draw others."""
    used = [key for key in loaded.missing if "mask_token" not in key and "pooler" not in key]
    if pooling == "pooler":
        used.extend(key for key in loaded.missing if "pooler" in key)
    if used:
        raise ModelProblem(
            f"The checkpoint of the vision model {name!r} lacks {', '.join(sorted(used)[:3])}, which would "
            f"be random. Set another model, or another pooling than {pooling!r}, in encoder_options. {DOCTOR}"
        )


def _load(name: str, device: str) -> _Loaded:
    try:
        import transformers
    except ImportError as error:
        raise ModelProblem(
            "The encoder 'vision' needs transformers, which can not be imported. "
            "Type `pip install 'active-labeling-workbench[vision]'`, or use the encoder 'image'."
        ) from error
    # Version 5 names the kind of preprocessing that works without torchvision, version 4 says what it is not.
    plain = {"use_fast": False} if transformers.__version__.startswith("4.") else {"backend": "pil"}
    try:
        with torch.random.fork_rng():
            try:  # what was downloaded once is used as it is, without a look at the network
                processor, model, found = _read(transformers, name, {**plain, "local_files_only": True})
            except OSError:
                processor, model, found = _read(transformers, name, plain)
            return _Loaded(model.eval().to(device), processor, frozenset(found["missing_keys"]))
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        first = next(iter(str(error).strip().splitlines()), "no message")
        raise ModelProblem(
            f"The vision model {name!r} can not be loaded: {first} Expected a folder with a vision model of "
            "transformers and its preprocessor_config.json, or a name that can be downloaded from here. "
            f"Set model in encoder_options. {DOCTOR}"
        ) from error


def _read(transformers: Any, name: str, options: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Read preprocessing, model, and what its checkpoint lacked."""
    processor = transformers.AutoImageProcessor.from_pretrained(name, **options)
    local = {key: value for key, value in options.items() if key == "local_files_only"}
    model, found = transformers.AutoModel.from_pretrained(name, output_loading_info=True, **local)
    return processor, model, found
