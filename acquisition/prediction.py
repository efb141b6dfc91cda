"""Log-probabilities of a posterior, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_count, check_items, check_logits
from acquisition.errors import InvalidInput
from acquisition.numerics import log_softmax
from acquisition.types import Batches, Draw, Posterior

CHUNK_ROWS = 512
CHUNK_OUTPUTS = 2**15


class Chunk(NamedTuple):
    """The log-probabilities of neighbouring items; ``start`` counts rows over the whole pool."""

    start: int
    log_probs_T_N_C: Tensor


def predict(posterior: Posterior, inputs: Tensor, n_samples: int = 20, seed: int = 0) -> Tensor:
    """Computes what T networks of a posterior predict.

    Args:
        posterior: From ``mc_dropout``, ``ensemble``, ``fit`` or ``restore``.
        inputs: A tensor of items, the first dimension counts them.
        n_samples: T; an ensemble of M gives at most M.
        seed: Of the draw; the same seed gives the same networks.

    Returns:
        log_probs_T_N_C in float32. For a large pool use ``score_pool``, which keeps none of it.

    Raises:
        InvalidInput: The model can not take the inputs, or its outputs are no class scores.
        NotFinite: NaN or infinity in the inputs or outputs.
    """
    draw = drawn(posterior, n_samples, seed)
    chunks = [chunk.log_probs_T_N_C for chunk in predicted_chunks(posterior, inputs, draw)]
    if not chunks:
        raise InvalidInput("There are no items to predict.")
    return torch.cat(chunks, dim=1)


def drawn(posterior: Posterior, n_samples: int, seed: int) -> Draw:
    """Draws as many samples as asked for, or as many as there are."""
    check_count("n_samples", n_samples)
    limit = posterior.max_samples
    return posterior.draw(n_samples if limit is None else min(n_samples, limit), seed=seed)


def predicted_chunks(posterior: Posterior, batches: Batches, draw: Draw, start: int = 0) -> Iterator[Chunk]:
    """Streams predictions with the same T networks for all items; holds one chunk at a time."""
    for inputs in _chunks(batches, len(draw)):
        yield Chunk(start, _log_probs(posterior, inputs, draw, start))
        start += len(inputs)


def _chunks(batches: Batches, n_samples: int) -> Iterator[Tensor]:
    rows = max(16, min(CHUNK_ROWS, CHUNK_OUTPUTS // n_samples))
    for batch in _tensors(batches):
        yield from (batch[first : first + rows] for first in range(0, len(batch), rows))


def _tensors(batches: Batches) -> Iterable[Tensor]:
    for batch in [batches] if isinstance(batches, Tensor) else batches:
        if not isinstance(batch, Tensor) or batch.dim() < 1:
            raise InvalidInput(f"Expected tensors of items, found {type(batch).__name__}.")
        yield batch


def _log_probs(posterior: Posterior, inputs: Tensor, draw: Draw, start: int) -> Tensor:
    check_items(inputs, start)
    with torch.inference_mode():
        logits_T_N_C = _logits(posterior, inputs, draw)
        check_logits(logits_T_N_C, len(inputs), start)
        return log_softmax(logits_T_N_C)


def _logits(posterior: Posterior, inputs: Tensor, draw: Draw) -> Tensor:
    try:
        return posterior.forward(draw, posterior.features(inputs.to(posterior.device)))
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, IndexError) as error:
        message = str(error).strip().splitlines()[0]
        raise InvalidInput(
            f"The model can not take items of shape {list(inputs.shape[1:])} and type {inputs.dtype}: "
            f"{message}"
        ) from error
