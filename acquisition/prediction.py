"""Predictions of a posterior, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from acquisition.checks import check_count, check_items, check_raw, check_seed
from acquisition.errors import InvalidInput
from acquisition.numerics import log_softmax
from acquisition.predictions import AnyPredictions, Gaussians, Outputs, Predictions, joined, summarize
from acquisition.tasks import Task
from acquisition.types import Batches, Draw, Posterior

CHUNK_ROWS = 512
CHUNK_OUTPUTS = 2**19  # numbers that T networks put out for a chunk: two megabytes, what a core's cache holds
LEAST_ROWS = 256  # of a chunk, as products of few rows are slow, unless there are more numbers than
MOST_OUTPUTS = 2**22
LIKELY_OUTPUTS = 10  # of one network for one item, until the first chunk has told


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Neighbouring items and what T networks say.

    Attributes:
        start: Row of the first item, counted over the whole pool.
        inputs: The items.
        raw_T_N_O: The outputs of the networks as they are.
        task: What they mean.
    """

    start: int
    inputs: Tensor
    raw_T_N_O: Tensor
    task: Task

    @cached_property
    def outputs(self) -> Outputs:
        """The outputs as predictions in float32."""
        with torch.inference_mode():
            return interpreted(self.task, self.raw_T_N_O)

    def predictions(self, rows_N: Tensor, features_N_D: Tensor | None = None) -> AnyPredictions:
        """Wraps the chunk for the acquisition functions; of classes straight from the logits."""
        if self.task == "classification":
            return Predictions.of_logits(self.raw_T_N_O, rows_N, features_N_D)
        return summarize(self.outputs, rows_N, features_N_D)


def predict(posterior: Posterior, inputs: Batches, n_samples: int = 20, seed: int = 0) -> Outputs:
    """Computes what T networks of a posterior predict.

    Args:
        posterior: From ``mc_dropout``, ``ensemble``, ``fit`` or ``restore``.
        inputs: A tensor of items, the first dimension counts them, or any iterable of such tensors.
        n_samples: T; an ensemble of M gives at most M.
        seed: Of the draw; the same seed gives the same networks.

    Returns:
        log_probs_T_N_C in float32; log_probs_T_N_L_2 of L independent labels (absent, present); of
        regression ``Gaussians``. For a large pool use ``score_pool``, which keeps none of it.

    Raises:
        InvalidInput: The model can not take the inputs, or its outputs are not what the task needs.
        NotFinite: NaN or infinity in the inputs or outputs.
    """
    return predict_with(posterior, inputs, drawn(posterior, n_samples, seed))


def predict_with(posterior: Posterior, inputs: Batches, draw: Draw) -> Outputs:
    """Computes what the networks of a draw predict; else as ``predict``."""
    chunks = [chunk.outputs for chunk in predicted_chunks(posterior, inputs, draw)]
    if not chunks:
        raise InvalidInput("There are no items to predict.")
    return joined(chunks)


def drawn(posterior: Posterior, n_samples: int, seed: int) -> Draw:
    """Draws as many samples as asked for, or as many as there are."""
    check_count("n_samples", n_samples)
    check_seed(seed)
    if not hasattr(posterior, "draw"):
        raise InvalidInput(
            f"Expected a posterior, found {type(posterior).__name__}. A trained network becomes one by "
            "acquisition.mc_dropout(model), several by acquisition.ensemble(models)."
        )
    limit = posterior.max_samples
    return posterior.draw(n_samples if limit is None else min(n_samples, limit), seed=seed)


def predicted_chunks(posterior: Posterior, batches: Batches, draw: Draw, start: int = 0) -> Iterator[Chunk]:
    """Streams predictions with the same T networks for all items; holds one chunk at a time.

    Where a device has not enough memory for a chunk, that one and all that follow are cut in halves.
    """
    limit = CHUNK_ROWS
    for batch in tensors_of(batches):
        first = 0
        while first < len(batch):
            inputs = batch[first : first + min(limit, _rows(posterior, len(draw)))]
            try:
                raw_T_N_O = _raw_outputs(posterior, inputs, draw, start)
            except torch.OutOfMemoryError:
                if len(inputs) == 1:
                    raise
                limit = len(inputs) // 2
                continue
            yield Chunk(start=start, inputs=inputs, raw_T_N_O=raw_T_N_O, task=posterior.task)
            first, start = first + len(inputs), start + len(inputs)


def _rows(posterior: Posterior, n_samples: int) -> int:
    """Returns how many items make a chunk whose predictions fit into the cache, or nearly."""
    outputs = n_samples * (posterior.n_outputs or LIKELY_OUTPUTS)
    few = min(LEAST_ROWS, MOST_OUTPUTS // outputs)
    return max(1, few, min(CHUNK_ROWS, CHUNK_OUTPUTS // outputs))


def item_chunks(batches: Batches) -> Iterator[Tensor]:
    """Cuts items into chunks."""
    for batch in tensors_of(batches):
        yield from torch.split(batch, CHUNK_ROWS) if len(batch) else ()


def tensors_of(batches: Batches) -> Iterable[Tensor]:
    """Yields the tensors of a pool."""
    if not isinstance(batches, Iterable):
        raise InvalidInput(
            f"Expected a tensor of items or an iterable of them, found {type(batches).__name__}."
        )
    for batch in [batches] if isinstance(batches, Tensor) else batches:
        if not isinstance(batch, Tensor):
            raise InvalidInput(
                f"Expected tensors of items, found {type(batch).__name__}. Of a DataLoader with targets give "
                "(inputs for inputs, _ in loader); of arrays torch.from_numpy(array)."
            )
        if batch.dim() < 1:
            raise InvalidInput("Expected a tensor with one row per item, found a single number.")
        yield batch


def _raw_outputs(posterior: Posterior, inputs: Tensor, draw: Draw, start: int) -> Tensor:
    check_items(inputs, start)
    with torch.inference_mode():
        raw_T_N_O = translated(lambda: _raw(posterior, inputs, draw), inputs)
        check_raw(posterior.task, raw_T_N_O, len(inputs), start)
        return raw_T_N_O


def interpreted(task: Task, raw_T_N_O: Tensor) -> Outputs:
    """Turns the outputs of networks into predictions in float32."""
    if task == "classification":
        return log_softmax(raw_T_N_O)
    single = raw_T_N_O.float()
    if task == "multilabel":
        return torch.stack([functional.logsigmoid(-single), functional.logsigmoid(single)], -1)
    return Gaussians(single[..., 0], single[..., 1])


def _raw(posterior: Posterior, inputs: Tensor, draw: Draw) -> Tensor:
    placed = inputs.to(posterior.device, copy=True)  # a model may write into what it is given
    return posterior.forward(draw, posterior.features(placed))


def translated(call: Callable[[], Tensor], inputs: Tensor) -> Tensor:
    """Runs a model and says what it can not take."""
    try:
        return call()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, IndexError, ValueError, KeyError, AttributeError) as error:
        message = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "got dict" in message or "got tuple" in message or "has no attribute" in message:
            message += ". Does it return one tensor of class scores [N, C]?"
        raise InvalidInput(
            f"The model can not take items of shape {list(inputs.shape[1:])} and type {inputs.dtype}: "
            f"{message}"
        ) from error
