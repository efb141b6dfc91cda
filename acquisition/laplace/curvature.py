"""The curvature of a likelihood in the weights of the last layer, and Gaussians that have it.

Formula: H = Σ_n Λ_n ⊗ φ_n φ_nᵀ with the features φ_n, a one behind them for the bias, and the Fisher
information Λ_n of the outputs: diag(p) − p pᵀ for classes, diag(p (1 − p)) for labels, 1/σ² for a mean
whose noise is one number for all items, diag(1/σ², ½) for a mean and its log variance. For classes,
labels and a mean H is the exact Hessian; for a log variance its expectation. All structures are kept as
eigenvalues and the basis they belong to, so that every prior precision τ costs one vector operation:

full         H itself                        time O(C²·N·P² + (C·P)³), memory 8 (C·P)² bytes
kronecker    (Σ_n Λ_n / N) ⊗ (Σ_n φ_n φ_nᵀ)  time O(N·(C² + P²) + C³ + P³)
diagonal     the diagonal of H               time O(N·C·P)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from acquisition.errors import InvalidOption
from acquisition.tasks import Task

Structure = Literal["full", "kronecker", "diagonal"]
STRUCTURES: tuple[Structure, ...] = get_args(Structure)
MOST_FULL = 4096


def output_information(task: Task, outputs_N_C: Tensor) -> Tensor:
    """Computes the Fisher information Λ of the outputs, [N, C, C]; a noise beside the mean has none."""
    if task == "classification":
        probs_N_C = outputs_N_C.softmax(-1)
        return torch.diag_embed(probs_N_C) - probs_N_C[:, :, None] * probs_N_C[:, None]
    if task == "multilabel":
        probs_N_L = outputs_N_C.sigmoid()
        return torch.diag_embed(probs_N_L * (1 - probs_N_L))
    precision_N = torch.exp(-outputs_N_C[:, 1])
    return torch.diag_embed(torch.stack([precision_N, torch.full_like(precision_N, 0.5)], -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curvature:
    """H in the basis where it is diagonal.

    Attributes:
        eigenvalues_C_P: Not negative.
        bases: None for the diagonal; {"full": [C·P, C·P]}; {"outputs": [C, C], "inputs": [P, P]}. The
            eigenvectors are columns.
    """

    eigenvalues_C_P: Tensor
    bases: Mapping[str, Tensor]

    def deviations(self, noise_T_C_P: Tensor, precision: float) -> Tensor:
        """Turns standard normal numbers into samples of N(0, (H + τI)⁻¹)."""
        scaled_T_C_P = noise_T_C_P * (self.eigenvalues_C_P + precision).rsqrt().to(noise_T_C_P.dtype)
        if "full" in self.bases:
            turned = scaled_T_C_P.flatten(1) @ self.bases["full"].T.to(noise_T_C_P.dtype)
            return turned.view_as(scaled_T_C_P)
        if "inputs" in self.bases:
            turned = scaled_T_C_P @ self.bases["inputs"].T.to(noise_T_C_P.dtype)
            return self.bases["outputs"].to(noise_T_C_P.dtype) @ turned
        return scaled_T_C_P

    def log_determinant(self, precision: float) -> float:
        """Computes ln |H + τI|."""
        return float((self.eigenvalues_C_P + precision).log().sum())


def check_structure(structure: str) -> Structure:
    """Refuses a structure that does not exist."""
    for known in STRUCTURES:
        if structure == known:
            return known
    raise InvalidOption(f"structure is {structure!r}; one of {', '.join(STRUCTURES)} is expected.")


def curvature(structure: Structure, information_N_C_C: Tensor, features_N_P: Tensor) -> Curvature:
    """Computes the curvature in float64.

    Raises:
        InvalidOption: The layer has too many weights for the full matrix.
    """
    makers: Mapping[Structure, Callable[[Tensor, Tensor], Curvature]] = {
        "full": _full,
        "kronecker": _kronecker,
        "diagonal": _diagonal,
    }
    return makers[structure](information_N_C_C, features_N_P)


def _full(information_N_C_C: Tensor, features_N_P: Tensor) -> Curvature:
    n_outputs, width = information_N_C_C.shape[1], features_N_P.shape[1]
    if n_outputs * width > MOST_FULL:
        raise InvalidOption(
            f"The last layer has {n_outputs * width} weights; structure='full' is for at most {MOST_FULL}. "
            "Use structure='kronecker'."
        )
    values, vectors = torch.linalg.eigh(full_matrix(information_N_C_C, features_N_P))
    return Curvature(
        eigenvalues_C_P=values.clamp_min(0).view(n_outputs, width), bases={"full": vectors.contiguous()}
    )


def full_matrix(information_N_C_C: Tensor, features_N_P: Tensor) -> Tensor:
    """Computes H, [C·P, C·P]: one P × P product for each pair of outputs."""
    n_outputs, width = information_N_C_C.shape[1], features_N_P.shape[1]
    blocks = features_N_P.new_zeros(n_outputs, width, n_outputs, width)
    for c in range(n_outputs):
        for d in range(c + 1):
            weights_N = information_N_C_C[:, c, d]
            if bool(weights_N.any()):
                blocks[c, :, d] = blocks[d, :, c] = (features_N_P * weights_N[:, None]).T @ features_N_P
    return blocks.view(n_outputs * width, n_outputs * width)


def _kronecker(information_N_C_C: Tensor, features_N_P: Tensor) -> Curvature:
    output_values, output_vectors = torch.linalg.eigh(information_N_C_C.mean(0))
    input_values, input_vectors = torch.linalg.eigh(features_N_P.T @ features_N_P)
    return Curvature(
        eigenvalues_C_P=output_values.clamp_min(0)[:, None] * input_values.clamp_min(0),
        bases={"outputs": output_vectors.contiguous(), "inputs": input_vectors.contiguous()},
    )


def _diagonal(information_N_C_C: Tensor, features_N_P: Tensor) -> Curvature:
    own_N_C = information_N_C_C.diagonal(dim1=1, dim2=2)
    return Curvature(eigenvalues_C_P=own_N_C.T @ features_N_P**2, bases={})
