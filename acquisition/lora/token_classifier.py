"""A pretrained transformer as a network of tensors: token numbers in, class scores out.

What libraries of transformers give takes several tensors by name and returns a record. Posteriors want one
tensor of items, [N, L] token numbers filled up with the padding token, and logits [N, C] back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from acquisition.errors import InvalidInput, InvalidOption


class TokenClassifier(nn.Module):
    """Runs a sequence classifier of transformers on token numbers; no token attends to padding.

    Args:
        model: With ``config``, taking ``input_ids`` and ``attention_mask``, and returning ``logits``.
        padding: The number that fills up short items; None for the one of the model's configuration.
    """

    def __init__(self, model: nn.Module, padding: int | None = None) -> None:
        super().__init__()
        found = padding if padding is not None else getattr(model.config, "pad_token_id", None)
        if not isinstance(found, int):
            raise InvalidOption(
                "The model's configuration names no padding token; give its number as padding."
            )
        self.model, self.padding = model, found

    def forward(self, tokens_N_L: Tensor) -> Tensor:
        """Computes logits_N_C."""
        if tokens_N_L.dim() != 2 or tokens_N_L.is_floating_point():
            raise InvalidInput(
                f"Expected token numbers as integers [N, L], found {tokens_N_L.dtype} of shape "
                f"{list(tokens_N_L.shape)}."
            )
        # Ones and zeros, not booleans: the oldest of the models want numbers.
        attended = (tokens_N_L != self.padding).to(tokens_N_L.dtype)
        logits_N_C: Tensor = self.model(input_ids=tokens_N_L, attention_mask=attended).logits
        return logits_N_C


def token_classifier(model: str, n_classes: int, padding: int | None = None) -> Callable[[], nn.Module]:
    """Returns a module factory for ``fit`` that loads a pretrained model anew at each call.

    Args:
        model: A folder with a model of transformers, or a name that can be downloaded.
        n_classes: C; the head is new where the saved one has another size.
        padding: As in ``TokenClassifier``.

    Raises:
        InvalidOption: From the call, where transformers is missing or there is no such model.
    """

    def make() -> nn.Module:
        return TokenClassifier(_loaded(model, n_classes), padding)

    return make


def _loaded(model: str, n_classes: int) -> Any:
    try:
        from transformers import AutoModelForSequenceClassification
    except ImportError as error:
        raise InvalidOption(
            "A pretrained transformer needs the library transformers, which can not be imported. Type "
            '`pip install "active-labeling-workbench[lora]"`.'
        ) from error
    try:
        return AutoModelForSequenceClassification.from_pretrained(
            model, num_labels=n_classes, ignore_mismatched_sizes=True
        )
    except (OSError, ValueError) as error:
        first = next(iter(str(error).strip().splitlines()), "no message")
        raise InvalidOption(
            f"The model {model!r} can not be loaded: {first} Expected a folder with such a model, or "
            "a name that can be downloaded from here."
        ) from error
