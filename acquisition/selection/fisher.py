"""Fisher information of a last linear layer, as roots of low rank: I(x) = V(x)ᵀ V(x).

The layer has C·D weights. For a softmax, I(x) = (diag q − q qᵀ) ⊗ φ φᵀ, and V(x) = R(x) ⊗ φᵀ with the C × C
root R = diag(√q) (1 − 1 qᵀ). Seen as one logistic regression for "the predicted class or another", I(x) = q̂
(1 − q̂) φ φᵀ, a root of one row (Huseljic et al. 2024, https://arxiv.org/abs/2404.08981). Neither V nor I is
ever built for more than one item: what is kept per item is (1 ⊗ φᵀ) · matrix · (1 ⊗ φ), [C, C].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acquisition.selection.distances import blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """R(x), RᵀR and φ(x) of N items; K = C·D weights, C = 1 in the binary form."""

    classes_N_R_C: Tensor
    weights_N_C_C: Tensor
    features_N_D: Tensor

    def __len__(self) -> int:
        return len(self.features_N_D)

    def __getitem__(self, rows: Tensor | slice) -> Roots:
        return Roots(
            classes_N_R_C=self.classes_N_R_C[rows],
            weights_N_C_C=self.weights_N_C_C[rows],
            features_N_D=self.features_N_D[rows],
        )

    def one(self, row: int) -> Tensor:
        """Builds V of one item, [R, K]."""
        classes_R_C, features_D = self.classes_N_R_C[row], self.features_N_D[row]
        return (classes_R_C[:, :, None] * features_D).flatten(1)

    def through(self, matrix_K_M: Tensor) -> Tensor:
        """Computes (1 ⊗ φᵀ) · matrix of every item, [N, C, M]."""
        n_classes, n_features = self.classes_N_R_C.shape[2], self.features_N_D.shape[1]
        by_feature = matrix_K_M.view(n_classes, n_features, -1).transpose(0, 1).reshape(n_features, -1)
        return (self.features_N_D @ by_feature).view(len(self), n_classes, -1)

    def traces(self, inner_N_C_C: Tensor) -> Tensor:
        """Computes tr(R · inner · Rᵀ) of every item."""
        return (self.weights_N_C_C * inner_N_C_C).sum((1, 2))


def softmax_roots(probs_N_C: Tensor, features_N_D: Tensor) -> Roots:
    """Takes the roots of a softmax layer."""
    n_classes = probs_N_C.shape[1]
    centred = torch.eye(n_classes, dtype=probs_N_C.dtype, device=probs_N_C.device) - probs_N_C[:, None]
    return _with_weights(probs_N_C.sqrt()[:, :, None] * centred, features_N_D)


def binary_roots(probs_N_C: Tensor, features_N_D: Tensor) -> Roots:
    """Takes the roots of a logistic regression for the predicted class."""
    surest_N = probs_N_C.amax(1)
    root_N = (surest_N * (1 - surest_N)).clamp_min(0).sqrt()
    return _with_weights(root_N[:, None, None], features_N_D)


def _with_weights(classes_N_R_C: Tensor, features_N_D: Tensor) -> Roots:
    weights_N_C_C = classes_N_R_C.mT @ classes_N_R_C
    return Roots(classes_N_R_C=classes_N_R_C, weights_N_C_C=weights_N_C_C, features_N_D=features_N_D)


def total_information(roots: Roots) -> Tensor:
    """Computes Σ_x I(x), [K, K], one product of features per pair of classes."""
    features_N_D, weights_N_C_C = roots.features_N_D, roots.weights_N_C_C
    n_classes, n_features = weights_N_C_C.shape[1], features_N_D.shape[1]
    total = features_N_D.new_empty(n_classes, n_features, n_classes, n_features)
    for c in range(n_classes):
        for other in range(c + 1):
            total[c, :, other] = (features_N_D * weights_N_C_C[:, c, other, None]).T @ features_N_D
            total[other, :, c] = total[c, :, other]
    return total.view(n_classes * n_features, -1)


def quadratic(roots: Roots, matrix_K_K: Tensor) -> Tensor:
    """Computes (1 ⊗ φᵀ) · matrix · (1 ⊗ φ) of every item, [N, C, C]."""
    n_classes, n_features = roots.classes_N_R_C.shape[2], roots.features_N_D.shape[1]
    result = roots.features_N_D.new_empty(len(roots), n_classes, n_classes)
    for block in blocks(len(roots), 4 * n_classes * len(matrix_K_K)):
        some = roots[block]
        through = some.through(matrix_K_K).view(len(some), n_classes * n_classes, n_features)
        through.mul_(some.features_N_D[:, None])
        torch.sum(through.view(len(some), n_classes, n_classes, n_features), -1, out=result[block])
    return result
