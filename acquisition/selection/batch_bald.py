"""BatchBALD: the batch whose labels together tell most about the weights, chosen greedily.

Formula: each pick has the largest gain(x | S) = I[y_x; w | y_S] = E H(y_x | y_S) − E H(y_x | w) of what is
left, in nats; the gains add up to the batch's joint information I[y_S; w] ≤ Σ BALD. Of two near-duplicates
the second has little gain left. Greedy is within 1 − 1/e of the best batch, for I is submodular.
The outer expectation runs over the labels of S: over all of them while at most ``configurations`` matter (at
least while C^|S| ≤ ``configurations``), afterwards over as many draws, new ones for each pick.
Gains fall from pick to pick, of drawn ones up to their noise: a gain's standard error is about 0.002 nats
with the defaults and falls with √configurations. I[y_S; w] ≤ ln T, more T networks can not tell: once gains
are as small as their noise, the picks are arbitrary. Take more networks for larger batches (T ≥ 100 for ten).
Cost: O(T·N·C) + k·O(T·C·screening·n + T·configurations·(C·64 + k)); n of the N candidates had a gain in an
earlier step above this step's best, the others are out, for gains only fall (Minoux 1978). Memory: some ten
MB beside the predictions.
When: pools with similar items, and a posterior of many networks; ``power`` costs next to nothing and often
comes close. Tune ``configurations`` (noise of the late picks).
Source: Kirsch, van Amersfoort and Gal 2019, https://arxiv.org/abs/1906.08158.
"""

from __future__ import annotations

from functools import partial
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.disagreement import Disagreement
from acquisition.errors import NotStochastic
from acquisition.numerics import entropy, expected_entropy, mutual_information
from acquisition.randomness import generator
from acquisition.selection.configurations import (
    Configurations,
    conditional_entropy,
    extended,
    sampled,
    unlabeled,
)
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"log_probs"})
#: How many of the screened candidates are compared with all configurations.
FINALISTS = 64
#: Candidates that are looked at together, before it is asked whether the next can still win.
BLOCK_ITEMS = 128
#: Probabilities that are looked at together where each candidate is taken alone.
CHUNK = 2**20


def build(*, configurations: int = 4096, screening: int = 256) -> Selector:
    """Returns the selector.

    Args:
        configurations: How many joint labels of the picks so far stand for all of them.
        screening: A first look at all candidates takes so many only; the best 64 of it are compared with all.
            With ``configurations`` or more there is no first look.

    Raises:
        InvalidOption: One of them is no count.
    """
    check_count("configurations", configurations)
    check_count("screening", screening)
    return partial(choose, configurations=configurations, screening=screening)


class _Pool(NamedTuple):
    """The candidates, what noise each has in nats, and its own information."""

    log_probs_T_N_C: Tensor
    expected_entropy_N: Tensor
    bald_N: Tensor

    def gains(self, rows_n: Tensor, known: Configurations) -> Tensor:
        entropy_n = conditional_entropy(known, self.log_probs_T_N_C, rows_n)
        return entropy_n - self.expected_entropy_N[rows_n]


def choose(
    candidates: Candidates, batch_size: int, *, seed: int, configurations: int, screening: int
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are what each adds to the joint information, in nats.

    Raises:
        NotStochastic: There is one network only, or all are equal.
    """
    assert candidates.log_probs_T_N_C is not None
    log_probs_T_N_C = candidates.log_probs_T_N_C
    pool = _pool(log_probs_T_N_C)
    bounds_N, rng = pool.bald_N.clone(), generator(seed)
    picks, gains = [int(bounds_N.argmax())], [float(bounds_N.max())]
    table: Configurations | None = unlabeled(len(log_probs_T_N_C), log_probs_T_N_C.device)
    while len(picks) < batch_size:
        bounds_N[picks[-1]] = -inf
        picked_T_K_C = log_probs_T_N_C[:, picks]
        table = None if table is None else extended(table, picked_T_K_C[:, -1], configurations)
        fine = sampled(picked_T_K_C, configurations, rng) if table is None else table
        coarse = fine if len(fine) <= screening else sampled(picked_T_K_C, screening, rng)
        pick, gain = _best(pool, bounds_N, coarse, fine)
        picks.append(pick)
        gains.append(gain)
    return Selection(torch.tensor(picks, device=bounds_N.device), bounds_N.new_tensor(gains))


def _pool(log_probs_T_N_C: Tensor) -> _Pool:
    """Computes what each candidate is worth alone, chunk by chunk."""
    n_samples, n_items, n_classes = log_probs_T_N_C.shape
    if n_samples < 2:
        raise NotStochastic(
            "'batch_bald' measures how networks disagree, and these are predictions of one network. Predict "
            'with n_samples=2 or more, or choose by a score of one network: "top_k" with function="margin".'
        )
    watch, found = Disagreement("batch_bald"), []
    size = max(1, CHUNK // (n_samples * n_classes))
    for first in range(0, n_items, size):
        chunk = log_probs_T_N_C[:, first : first + size]
        watch.look(chunk)
        probs_T_n_C = chunk.exp()
        expected_n = expected_entropy(chunk, probs_T_n_C)
        found.append((expected_n, mutual_information(entropy(probs_T_n_C.mean(0)), expected_n)))
    watch.conclude()
    expected_N, bald_N = (torch.cat(column) for column in zip(*found, strict=True))
    return _Pool(log_probs_T_N_C, expected_N, bald_N)


def _best(pool: _Pool, bounds_N: Tensor, coarse: Configurations, fine: Configurations) -> tuple[int, float]:
    """Finds the candidate of largest gain, and tightens the bounds of those it looked at."""
    rows, gains = _screened(pool, bounds_N, coarse)
    bounds_N[rows] = gains
    if fine is not coarse:
        rows = rows[gains.topk(min(FINALISTS, len(rows))).indices]
        gains = pool.gains(rows, fine)
        bounds_N[rows] = gains
    best = int(gains.argmax())
    return int(rows[best]), float(gains[best])


def _screened(pool: _Pool, bounds_N: Tensor, known: Configurations) -> tuple[Tensor, Tensor]:
    """Computes gains in the order of their bounds, until no bound is above the best of them."""
    limits, order = bounds_N.sort(descending=True, stable=True)
    order, found, best = order[limits > -inf], [], -inf
    for first in range(0, len(order), BLOCK_ITEMS):
        if float(limits[first]) <= best:
            break
        found.append(pool.gains(order[first : first + BLOCK_ITEMS], known))
        best = max(best, float(found[-1].max()))
    gains = torch.cat(found)
    return order[: len(gains)], gains
