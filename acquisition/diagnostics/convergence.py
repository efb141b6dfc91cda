"""How many samples are enough: what the scores and the chosen items would be if all were drawn once more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from acquisition.checks import check_count, check_log_probs
from acquisition.errors import InvalidInput, InvalidOption
from acquisition.prediction import predict
from acquisition.predictions import Gaussians, Outputs, n_items
from acquisition.randomness import generator
from acquisition.scoring import score
from acquisition.types import Batches, Posterior


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvergenceRow:
    """What one number of samples gives, from pairs of draws that share no sample.

    Attributes:
        n_samples: Samples in each of the two draws.
        overlap: Share of the top items that two independent draws have in common, on average.
        overlap_error: Spread of that share over the pairs (standard deviation / √pairs).
        standard_error: Of one item's score, in the score's unit, as the root mean square over the items.
        noise_share: Variance of that error as a share of the variance of the scores over the items; above 1
            the ranking is mostly noise.
        mean_shift: Mean score minus the mean score of all samples: the bias of few samples.
    """

    n_samples: int
    overlap: float
    overlap_error: float
    standard_error: float
    noise_share: float
    mean_shift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How scores settle as samples are added.

    Attributes:
        rows: By number of samples, rising.
        enough: The least number of samples whose overlap reaches the tolerance there and in all larger rows;
            None where none does.
        top: How many top items were compared.
        verdict: The finding in words.
    """

    rows: tuple[ConvergenceRow, ...]
    enough: int | None
    top: int
    verdict: str


def sample_convergence(
    predictions: Outputs | Posterior,
    inputs: Batches | None = None,
    *,
    function: str = "bald",
    top: int | None = None,
    overlap: float = 0.9,
    n_samples: int = 200,
    pairs: int = 20,
    sizes: Collection[int] | None = None,
    seed: int = 0,
    **options: Any,
) -> Convergence:
    """Measures how a function's scores and its top items change with the number of samples.

    From T samples two draws of t ≤ T/2 that share none are taken, again and again, for t = 2, 4, 8, …: they
    differ as two independent rounds would. Cost: that of 2 · ``pairs`` scores of T samples.

    Args:
        predictions: log_probs_T_N_C, log_probs_T_N_L_2 or ``Gaussians``; or a posterior.
        inputs: The items, where a posterior is given.
        function: An acquisition function of ``catalog()``.
        top: How many top items count; a tenth of all where None.
        overlap: The share of common top items that is asked for.
        n_samples: T, where a posterior is given.
        pairs: Pairs of draws of each size.
        sizes: The numbers of samples t to try; 2, 4, 8, … and T/2 where None.
        seed: Of the posterior's draw and of the pairs.
        **options: The function's own options.

    Raises:
        InvalidInput: Fewer than four samples, or no items.
        InvalidOption: A count, share or size out of range, or no size at all.
    """
    outputs = _outputs(predictions, inputs, n_samples, seed)
    n_all, size = len(outputs if isinstance(outputs, Tensor) else outputs[0]), n_items(outputs)
    kept = max(1, size // 10) if top is None else top
    _check(n_all, size, kept, overlap, pairs)
    reference_N = score(function, outputs, **options).double()
    source = generator(seed)
    rows = []
    for count in _sizes(n_all // 2) if sizes is None else _asked(sizes, n_all // 2):
        scored = [
            tuple(score(function, _taken(outputs, rows_t), **options).double() for rows_t in pair)
            for pair in _pairs(n_all, count, pairs, source)
        ]
        rows.append(_row(count, scored, reference_N, kept))
    return _concluded(tuple(rows), kept, overlap)


def _outputs(predictions: Outputs | Posterior, inputs: Batches | None, n_samples: int, seed: int) -> Outputs:
    if isinstance(predictions, Tensor | Gaussians):
        if isinstance(predictions, Tensor) and predictions.dim() == 3:
            check_log_probs(predictions)
        return predictions
    if inputs is None:
        raise InvalidInput("A posterior was given without items: give inputs, or its predictions.")
    return predict(predictions, inputs, n_samples, seed)


def _check(n_samples: int, size: int, kept: int, overlap: float, pairs: int) -> None:
    check_count("pairs", pairs)
    check_count("top", kept)
    if n_samples < 4:
        raise InvalidInput(f"Two draws of two samples are the least to compare; found {n_samples} samples.")
    if kept > size:
        raise InvalidInput(f"The top {kept} of {size} items were asked for.")
    if not 0 < overlap <= 1:
        raise InvalidOption(f"overlap is {overlap!r}; a share above 0 and up to 1 is expected.")


def _sizes(largest: int) -> list[int]:
    powers = [2**i for i in range(1, largest.bit_length()) if 2**i <= largest]
    return sorted({*powers, largest})


def _asked(sizes: Collection[int], largest: int) -> list[int]:
    if not sizes:
        raise InvalidOption("sizes is empty; one number of samples at least is expected.")
    for size in sizes:
        check_count("sizes", size)
        if size > largest:
            raise InvalidOption(f"sizes has {size}; two draws that share no sample have at most {largest}.")
    return sorted(set(sizes))


def _pairs(
    n_samples: int, count: int, pairs: int, source: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(pairs):
        order = torch.randperm(n_samples, generator=source)
        yield order[:count], order[count : 2 * count]


def _taken(outputs: Outputs, rows_t: Tensor) -> Outputs:
    if isinstance(outputs, Gaussians):
        return Gaussians(outputs.means_T_N[rows_t], outputs.log_variances_T_N[rows_t])
    return outputs[rows_t]


def _row(count: int, scored: list[tuple[Tensor, ...]], reference_N: Tensor, kept: int) -> ConvergenceRow:
    first_P_N = torch.stack([first for first, _ in scored])
    second_P_N = torch.stack([second for _, second in scored])
    shares_P = torch.tensor([_common(first, second, kept) for first, second in scored])
    error_variance = float((first_P_N - second_P_N).square().mean()) / 2
    spread = float(reference_N.var(correction=0))
    return ConvergenceRow(
        n_samples=count,
        overlap=float(shares_P.mean()),
        overlap_error=float(shares_P.std(correction=0)) / len(scored) ** 0.5,
        standard_error=error_variance**0.5,
        noise_share=error_variance / spread if spread > 0 else (float("inf") if error_variance else 0.0),
        mean_shift=float((first_P_N.mean() + second_P_N.mean()) / 2 - reference_N.mean()),
    )


def _common(first_N: Tensor, second_N: Tensor, kept: int) -> float:
    tops = [
        set(torch.argsort(scores, descending=True, stable=True)[:kept].tolist())
        for scores in (first_N, second_N)
    ]
    return len(tops[0] & tops[1]) / kept


def _concluded(rows: tuple[ConvergenceRow, ...], kept: int, overlap: float) -> Convergence:
    short = [row.n_samples for row in rows if row.overlap < overlap]
    later = [row.n_samples for row in rows if not short or row.n_samples > short[-1]]
    last = rows[-1]
    if later:
        verdict = f"{later[0]} samples are enough: two draws share {overlap:.0%} of the top {kept} or more."
    else:
        verdict = (
            f"{last.n_samples} samples are not enough: two draws share {last.overlap:.0%} of the top {kept}, "
            f"{overlap:.0%} is asked for. Take more samples, or choose at random among the best (power)."
        )
    return Convergence(rows=rows, enough=later[0] if later else None, top=kept, verdict=verdict)
