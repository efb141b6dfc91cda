"""BADGE: gradients of the last layer that are large and unlike each other, drawn by k-means++.

Formula: g = (q − e_ŷ) ⊗ φ, the gradient of the last layer's loss had the predicted class ŷ been the label; q
is the mean prediction, φ the features. The first choice has the largest |g|, each further one is drawn with a
chance ∝ its squared distance |g − g'|² to the nearest chosen. ``gains`` are |g| of the first and these
distances.
Exact without ever building g, which has C·D numbers: ⟨g, g'⟩ = ⟨q − e_ŷ, q' − e_ŷ'⟩ ⟨φ, φ'⟩.
Cost: O(N·(C + D)·k) time, O(N·(C + D)) memory. Rows nearer than a thousandth of their norms count as equal.
When: a trained classifier and batches of ten to thousands; uncertain and diverse with nothing to tune. The
features are to be the input of the last layer. What is labeled plays no part.
Source: Ash et al. 2020, https://arxiv.org/abs/1906.03671.
"""

from __future__ import annotations

import torch
from torch import Tensor

from acquisition.randomness import generator
from acquisition.selection.distances import flat, refuse_overflow
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"log_probs", "features"})


def build() -> Selector:
    """Returns the selector; it has no options."""
    return choose


def choose(candidates: Candidates, batch_size: int, *, seed: int) -> Selection:
    """Chooses ``batch_size`` candidates; the seed draws all but the first."""
    assert candidates.log_probs_T_N_C is not None
    assert candidates.features_N_D is not None
    features_N_D = flat(candidates.features_N_D)
    refuse_overflow(features_N_D)
    errors_N_C = prediction_errors(candidates.log_probs_T_N_C).to(features_N_D)
    squares_N = errors_N_C.square().sum(1) * features_N_D.square().sum(1)
    draws = torch.rand(batch_size, generator=generator(seed), dtype=torch.float64).tolist()
    chosen = [int(squares_N.argmax())]
    worth = [float(squares_N[chosen[0]])]
    distances_N = torch.full_like(squares_N, torch.inf)
    while len(chosen) < batch_size:
        products_N = (errors_N_C @ errors_N_C[chosen[-1]]) * (features_N_D @ features_N_D[chosen[-1]])
        newest_N = (squares_N + squares_N[chosen[-1]] - 2 * products_N).clamp_min_(0)
        distances_N = torch.minimum(distances_N, newest_N)
        distances_N[chosen] = 0
        chosen.append(_drawn(distances_N, chosen, draws[len(chosen)]))
        worth.append(float(distances_N[chosen[-1]]))
    device = squares_N.device
    return Selection(torch.tensor(chosen, device=device), torch.tensor(worth, device=device).sqrt())


def prediction_errors(log_probs_T_N_C: Tensor) -> Tensor:
    """Computes q − e_ŷ of the mean prediction, [N, C]; its rows sum to 0."""
    probs_N_C = log_probs_T_N_C.exp().mean(0)
    predicted_N = probs_N_C.argmax(1, keepdim=True)
    return probs_N_C.scatter_add(1, predicted_N, -torch.ones_like(probs_N_C[:, :1]))


def _drawn(weights_N: Tensor, chosen: list[int], uniform: float) -> int:
    """Draws ∝ the weights; the lowest index that is not chosen where all weights are 0."""
    total_N = weights_N.double().cumsum(0)
    if float(total_N[-1]) > 0:
        place = int(torch.searchsorted(total_N, uniform * float(total_N[-1]), right=True))
        return min(place, int(weights_N.nonzero()[-1]))
    free_N = torch.ones_like(weights_N, dtype=torch.bool)
    free_N[chosen] = False
    return int(free_N.nonzero()[0])
