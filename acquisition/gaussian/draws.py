"""Draws of a Gaussian process as functions, by Matheron's rule.

Formula: f_t(x) = φ(x)·θ_t + k(x, Z)·v_t. The first term is a draw of the prior: φ are M pairs of random
Fourier features (cos, sin) of the kernel, θ_t standard normal numbers. The second one is the update by
what is known at the n places Z: v_t = (K + Σ)⁻¹ (y − φ(Z)·θ_t − ε_t), ε_t ~ N(0, Σ). A draw is a
function, so an item's value depends on no other item. The error of φ falls with √M and is corrected at
Z. Source: Wilson et al. 2020, https://arxiv.org/abs/2002.09309; Rahimi and Recht 2007.
Cost: O(N·(M·D + n·D + T·C·(2M + n))) per scoring, 8·T·C·(2M + n) bytes per draw; all in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from acquisition.gaussian.kernel import Kernel
from acquisition.randomness import derived_seed, generator
from acquisition.types import Draw

#: Solves (K + Σ_c) v = r for each class: residuals_C_n_T → [C, n, T].
Solve = Callable[[Tensor], Tensor]


@lru_cache(maxsize=2)
def _frequencies(width: int, n_features: int, seed: int) -> Tensor:
    """Draws standard normal frequencies, [D, M]; kept, because every chunk of a pool asks for the same."""
    return torch.randn(width, n_features, generator=generator(seed), dtype=torch.float64)


def fourier_features(kernel: Kernel, items_N_D: Tensor, n_features: int, seed: int) -> Tensor:
    """Computes φ, [N, 2M], with φ(a)·φ(b) ≈ k(a, b) and φ(a)·φ(a) = k(a, a)."""
    frequencies_D_M = _frequencies(items_N_D.shape[1], n_features, seed).to(items_N_D.device)
    angles_N_M = items_N_D @ (frequencies_D_M / kernel.lengthscale)
    return torch.cat([angles_N_M.cos(), angles_N_M.sin()], 1) * (kernel.variance / n_features).sqrt()


class Known(NamedTuple):
    """What is known of the functions at some places.

    Attributes:
        places_n_D: Training items, or inducing points.
        values_C_n_T: y − ε_t, or the functions' values themselves.
        solve: Of K + Σ.
    """

    places_n_D: Tensor
    values_C_n_T: Tensor
    solve: Solve


def drawn_functions(kernel: Kernel, known: Known, n_features: int, seed: int) -> Draw:
    """Draws T functions for each of C outputs."""
    n_outputs, _, n_samples = known.values_C_n_T.shape
    places = known.places_n_D
    weights_C_2M_T = torch.randn(
        n_outputs, 2 * n_features, n_samples, generator=generator(derived_seed(seed, 1)), dtype=torch.float64
    ).to(places.device)
    features_n_2M = fourier_features(kernel, places, n_features, seed)
    updates_C_n_T = known.solve(known.values_C_n_T - features_n_2M @ weights_C_2M_T)
    return Draw(
        state={
            "prior": weights_C_2M_T.permute(2, 0, 1).contiguous(),
            "update": updates_C_n_T.permute(2, 0, 1).contiguous(),
            "seed": torch.full((n_samples,), seed),
        }
    )


def function_values(kernel: Kernel, places_n_D: Tensor, draw: Draw, items_N_D: Tensor) -> Tensor:
    """Computes f [T, N, C]; in memory the items are innermost."""
    prior_T_C_2M, updates_T_C_n = draw.state["prior"], draw.state["update"]
    n_samples, n_outputs, doubled = prior_T_C_2M.shape
    features = fourier_features(kernel, items_N_D, doubled // 2, int(draw.state["seed"][0]))
    from_prior_TC_N = prior_T_C_2M.flatten(0, 1) @ features.T
    values_TC_N = torch.addmm(from_prior_TC_N, updates_T_C_n.flatten(0, 1), kernel(places_n_D, items_N_D))
    return values_TC_N.view(n_samples, n_outputs, -1).transpose(1, 2)
