"""BAIT: the batch whose Fisher information of the last layer best answers the whole pool's.

Formula: minimise tr(M⁻¹ F) with F = mean of I(x) over the candidates and M = prior·1 + Σ I(x) over labeled
and chosen; forward greedy to ``oversampling`` × k choices, then backward greedy down to k. ``gains`` are the
falls of the trace when a choice was made, before any was taken back.
Exact: every step of both greedy passes (Woodbury updates in float64, pruned by the bound tr(V M⁻¹ F M⁻¹ Vᵀ))
for the features it works with and the form of I that it works with. Not exact: above ``dimensions`` features,
I is that of their projection on the directions of largest mean square; above 16 classes, "auto" takes the
binary form of I (see ``fisher``); the predictions of labeled items, which a selector is not given, are those
of the linear layer that fits the candidates' log-probabilities best, exact for one network whose last layer
has the features as input.
The paper adds the labeled information as a mean beside a sum of chosen; ``labeled="mean"`` does so.
Cost: O(N·C²·(D + C)) per step; memory O(N·(C² + D) + (C·D)²), with D after the projection.
When: batches from a trained classifier, where its last layer is what is learned. To tune: ``prior``, the
weight decay times the number of labels; ``dimensions`` where time allows.
Source: Ash et al. 2021, https://arxiv.org/abs/2106.09675.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from acquisition.checks import check_count
from acquisition.errors import InvalidOption
from acquisition.selection.distances import flat
from acquisition.selection.fisher import Roots, binary_roots, quadratic, softmax_roots, total_information
from acquisition.types import Candidates, Selection, Selector

NEEDS = frozenset({"log_probs", "features"})
Form = Literal["auto", "softmax", "binary"]
Labeled = Literal["sum", "mean"]
SOFTMAX_UP_TO = 16
LOOK = 512
LEAST_LOG = -100.0


def build(
    *,
    dimensions: int | None = 64,
    fisher: Form = "auto",
    prior: float = 1.0,
    labeled: Labeled = "sum",
    oversampling: float = 2.0,
) -> Selector:
    """Returns the selector.

    Args:
        dimensions: Most features to work with; None for all.
        fisher: Form of I: "softmax", "binary", or "auto", which is "softmax" up to 16 classes.
        prior: Precision of the weights before any label, above 0; the paper's is 1.
        labeled: Whether labeled items count like chosen ones ("sum") or all together like one ("mean").
        oversampling: Choices of the forward pass per item of the batch, at least 1; the paper's is 2.

    Raises:
        InvalidOption: An option outside its range.
    """
    if dimensions is not None:
        check_count("dimensions", dimensions)
    for name, value, known in (("fisher", fisher, get_args(Form)), ("labeled", labeled, get_args(Labeled))):
        if value not in known:
            raise InvalidOption(f"{name} is {value!r}; one of {', '.join(known)} is expected.")
    if not 0 < prior < float("inf"):
        raise InvalidOption(f"prior is {prior!r}; a number above 0 is expected.")
    if not 1 <= oversampling < float("inf"):
        raise InvalidOption(f"oversampling is {oversampling!r}; a number of at least 1 is expected.")
    return partial(
        choose,
        dimensions=dimensions,
        fisher=fisher,
        prior=prior,
        labeled=labeled,
        oversampling=oversampling,
    )


def choose(
    candidates: Candidates,
    batch_size: int,
    *,
    seed: int,  # noqa: ARG001 - nothing is random
    dimensions: int | None,
    fisher: Form,
    prior: float,
    labeled: Labeled,
    oversampling: float,
) -> Selection:
    """Chooses ``batch_size`` candidates; ``gains`` are the falls of the trace at each choice."""
    roots, known = _roots(candidates, dimensions, fisher)
    information = total_information(known) / (max(1, len(known)) if labeled == "mean" else 1)
    information.diagonal().add_(prior)
    state = _State(roots, information, total_information(roots) / len(roots))
    n_forward = min(len(roots), max(batch_size, round(oversampling * batch_size)))
    taken = [state.take_best() for _ in range(n_forward)]
    rows = torch.tensor([row for row, _ in taken], device=roots.features_N_D.device)
    falls = torch.tensor([fall for _, fall in taken], device=rows.device)
    state.only(rows)
    for _ in range(n_forward - batch_size):
        state.give_back_least()
    return Selection(rows[~state.free_N], falls[~state.free_N])


class _State:
    """M⁻¹ and M⁻¹ F M⁻¹, and how they look through each candidate's features: [N, C, C].

    A class because all four are updated in place with each choice.
    """

    def __init__(self, roots: Roots, information_K_K: Tensor, pool_K_K: Tensor) -> None:
        self.roots = roots
        self.inverse_K_K = torch.cholesky_inverse(torch.linalg.cholesky(information_K_K))
        self.answer_K_K = self.inverse_K_K @ pool_K_K @ self.inverse_K_K
        self.leverage_N_C_C = quadratic(roots, self.inverse_K_K)
        self.worth_N_C_C = quadratic(roots, self.answer_K_K)
        self.free_N = torch.ones(len(roots), dtype=torch.bool, device=roots.features_N_D.device)

    def only(self, rows: Tensor) -> None:
        """Forgets all other candidates."""
        self.roots, self.free_N = self.roots[rows], self.free_N[rows]
        self.leverage_N_C_C, self.worth_N_C_C = self.leverage_N_C_C[rows], self.worth_N_C_C[rows]

    def take_best(self) -> tuple[int, float]:
        """Adds the candidate that lowers the trace most; returns it and by how much."""
        bounds_N = self.roots.traces(self.worth_N_C_C).masked_fill(~self.free_N, -torch.inf)
        order = bounds_N.argsort(descending=True, stable=True)
        best, most = -1, -torch.inf
        for rows in torch.split(order, LOOK):
            if float(bounds_N[rows[0]]) <= most:
                break
            falls = self._changes(rows, sign=1).masked_fill(~self.free_N[rows], -torch.inf)
            if float(falls.max()) > most:
                best, most = int(rows[falls.argmax()]), float(falls.max())
        self.free_N[best] = False
        self._update(best, sign=1)
        return best, max(most, 0.0)

    def give_back_least(self) -> int:
        """Takes away the chosen candidate that raises the trace least, and returns it."""
        chosen = (~self.free_N).nonzero()[:, 0]
        least = int(chosen[self._changes(chosen, sign=-1).argmin()])
        self.free_N[least] = True
        self._update(least, sign=-1)
        return least

    def _changes(self, rows: Tensor, sign: int) -> Tensor:
        """Computes tr(V M⁻¹ F M⁻¹ Vᵀ (1 ± V M⁻¹ Vᵀ)⁻¹): the fall with one more, or the rise with one less."""
        classes = self.roots.classes_N_R_C[rows]
        leverage = classes @ self.leverage_N_C_C[rows] @ classes.mT
        worth = classes @ self.worth_N_C_C[rows] @ classes.mT
        solved: Tensor = torch.linalg.solve(_one(leverage) + sign * leverage, worth)
        return solved.diagonal(dim1=1, dim2=2).sum(1)

    def _update(self, row: int, sign: int) -> None:
        """Puts M ± I(row) in place of M everywhere (Woodbury): M⁻¹ ∓ M⁻¹ Vᵀ (1 ± V M⁻¹ Vᵀ)⁻¹ V M⁻¹."""
        root_R_K = self.roots.one(row)
        left_K_R, right_K_R = self.inverse_K_K @ root_R_K.T, self.answer_K_K @ root_R_K.T
        leverage = root_R_K @ left_K_R
        half = torch.linalg.cholesky(torch.linalg.inv(_one(leverage) + sign * leverage))
        left_K_R, right_K_R = left_K_R @ half, right_K_R @ half
        inner = half.T @ root_R_K @ right_K_R
        change_K_R = left_K_R @ inner / 2 - sign * right_K_R
        self.inverse_K_K -= sign * left_K_R @ left_K_R.T
        self.answer_K_K += left_K_R @ change_K_R.T + change_K_R @ left_K_R.T
        left, change = self.roots.through(left_K_R), self.roots.through(change_K_R)
        self.leverage_N_C_C.baddbmm_(left, left.mT, alpha=-sign)
        self.worth_N_C_C.baddbmm_(left, change.mT).baddbmm_(change, left.mT)


def _one(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)


def _roots(candidates: Candidates, dimensions: int | None, fisher: Form) -> tuple[Roots, Roots]:
    """Takes the roots of candidates and of labeled items, in the same projection."""
    assert candidates.log_probs_T_N_C is not None
    assert candidates.features_N_D is not None
    features_N_D = flat(candidates.features_N_D).double()
    labeled_M_D = features_N_D[:0]
    if candidates.labeled_M_D is not None:
        labeled_M_D = flat(candidates.labeled_M_D).to(features_N_D)
    probs_N_C = candidates.log_probs_T_N_C.to(features_N_D).exp().mean(0)
    binary = fisher == "binary" or (fisher == "auto" and probs_N_C.shape[1] > SOFTMAX_UP_TO)
    take = binary_roots if binary else softmax_roots
    probs_M_C = _probs_of_labeled(probs_N_C, features_N_D, labeled_M_D)
    if dimensions is not None and dimensions < features_N_D.shape[1]:
        basis_D_E = principal_directions(features_N_D, dimensions)
        features_N_D, labeled_M_D = features_N_D @ basis_D_E, labeled_M_D @ basis_D_E
    return take(probs_N_C, features_N_D), take(probs_M_C, labeled_M_D)


def principal_directions(features_N_D: Tensor, dimensions: int) -> Tensor:
    """Finds the orthonormal directions of largest mean square, [D, ``dimensions`` or N], uncentred."""
    directions: Tensor
    if features_N_D.shape[0] >= features_N_D.shape[1]:
        directions = torch.linalg.eigh(features_N_D.T @ features_N_D).eigenvectors[:, -dimensions:]
    else:
        items = torch.linalg.eigh(features_N_D @ features_N_D.T).eigenvectors[:, -dimensions:]
        directions = torch.linalg.qr(features_N_D.T @ items).Q
    return directions


def _probs_of_labeled(probs_N_C: Tensor, features_N_D: Tensor, labeled_M_D: Tensor) -> Tensor:
    """Predicts labeled items by the linear layer that fits the candidates' log-probabilities."""
    if not len(labeled_M_D):
        return probs_N_C[:0]
    inputs = torch.nn.functional.pad(features_N_D, (0, 1), value=1.0)
    gram = inputs.T @ inputs
    gram.diagonal().add_(1e-9 * gram.diagonal().mean() + 1e-12)
    logits_N_C = probs_N_C.log().clamp_min(LEAST_LOG)
    logits_N_C = logits_N_C - logits_N_C.mean(1, keepdim=True)
    weights = torch.linalg.solve(gram, inputs.T @ logits_N_C)
    probs_M_C: Tensor = (torch.nn.functional.pad(labeled_M_D, (0, 1), value=1.0) @ weights).softmax(1)
    return probs_M_C
