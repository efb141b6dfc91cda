"""Which candidates become the batch: the random share first, then what the selector wants of the rest."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import acquisition
from acquisition.catalog import needs
from workbench.domain.records import PoolShard, Reason
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed, fraction
from workbench.steps.candidates import Candidates, payloads
from workbench.steps.models import examples, model_that_scored
from workbench.steps.parts import Parts
from workbench.steps.score import COVERAGE, scoring_seed

#: A selector that looks at embeddings alone sees a random subset of this many items at most.
COVERAGE_LIMIT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A candidate and why it was taken.

    Attributes:
        propensity: Of a random pick, the chance that it had to be in the random share.
        proposal: Where picks are drawn one after the other, the chance that this one had to be the next.
    """

    index: int
    reason: Reason
    propensity: float | None = None
    proposal: float | None = None


def control_size(seed: int, size: int, share: float) -> int:
    """How many of a batch are drawn at random: ``share`` of it on average, whole numbers each time."""
    exact = size * share
    whole = int(exact)
    return min(size, whole + (fraction(seed, "control-size") < exact - whole))


def pick_batch(
    parts: Parts, held: Round, candidates: Candidates, size: int, shards: list[PoolShard]
) -> list[Pick]:
    """Choose a batch of ``size``, in the order in which it is to be labeled."""
    # Drawn before anything is chosen: so they stand for the whole pool, not for what choosing left over.
    share = control_size(held.seed, size, parts.config.acquisition.control_share)
    control = _control(held.seed, len(candidates.keys), share)
    rest_N = np.setdiff1d(np.arange(len(candidates.keys)), [pick.index for pick in control])
    wanted = _wanted(parts, held, candidates, rest_N, size - share, shards)
    reason = Reason.COVERAGE if held.strategy == COVERAGE else Reason.UNCERTAIN
    picks = [Pick(index=chosen.candidate, reason=reason, proposal=chosen.proposal) for chosen in wanted]
    return _mixed(held.seed, picks, control)


class Chosen(NamedTuple):
    """A candidate that a selector wants, and the chance that it had to be drawn next, if it was drawn."""

    candidate: int
    proposal: float | None


def _wanted(
    parts: Parts,
    held: Round,
    candidates: Candidates,
    rest_N: NDArray[Any],
    size: int,
    shards: list[PoolShard],
) -> list[Chosen]:
    if size == 0:
        return []
    settings = parts.config.acquisition
    seed = derive_seed(held.seed, "select")
    if held.strategy == COVERAGE:
        return _covering(parts, candidates, rest_N, shards, size, seed)
    needed = needs("selectors", settings.selector, settings.options)
    subset = _looked_at(candidates, rest_N, needed, max(settings.shortlist, size), seed)
    seen = _seen(parts, held, candidates, subset, shards, needed)
    chosen = acquisition.select(settings.selector, seen, size, seed=seed, **settings.options)
    # Of a shortlist no proposal is kept: what is not on it had no chance, and no weight could make up for it.
    proposals = chosen.proposals if len(subset) == len(rest_N) else None
    return _chosen(subset, chosen.indices, proposals)


def _looked_at(
    candidates: Candidates, rest_N: NDArray[Any], needed: frozenset[str], shortlist: int, seed: int
) -> NDArray[Any]:
    """All of the rest where scores are enough; else the best of it, or a random part, in pool order."""
    if needed <= {"scores", "groups"}:
        return rest_N
    if needed <= {"features"}:
        return _drawn(rest_N, max(COVERAGE_LIMIT, shortlist), seed)
    assert candidates.columns is not None
    best_N = np.argsort(-candidates.columns["score"][rest_N], kind="stable")[:shortlist]
    return np.sort(rest_N[best_N])


def _seen(
    parts: Parts,
    held: Round,
    candidates: Candidates,
    subset: NDArray[Any],
    shards: list[PoolShard],
    needed: frozenset[str],
) -> acquisition.Candidates:
    """What the selector may look at: scores, and where it needs them predictions, embeddings, classes."""
    assert candidates.columns is not None
    assert candidates.predicted_N is not None
    given: dict[str, Tensor] = {
        "scores_N": _tensor(candidates.columns["score"][subset]),
        "groups_N": _tensor(candidates.predicted_N[subset]).long(),
    }
    if needed & {"log_probs", "features"}:
        posterior = model_that_scored(parts, held).posterior
    if "log_probs" in needed:
        batches = payloads(parts, candidates, subset, shards)
        given["log_probs_T_N_C"] = parts.learner.sampled_all(posterior, batches, seed=scoring_seed(held))
    if "features" in needed:
        given["features_N_D"] = parts.learner.embed(posterior, payloads(parts, candidates, subset, shards))
        labeled = [example.payload for example in examples(parts)]
        given["labeled_M_D"] = parts.learner.embed(posterior, [labeled])
    return acquisition.Candidates(**given)


def _covering(
    parts: Parts,
    candidates: Candidates,
    rest_N: NDArray[Any],
    shards: list[PoolShard],
    size: int,
    seed: int,
) -> list[Chosen]:
    subset = _drawn(rest_N, max(COVERAGE_LIMIT, size), seed)
    features_N_D = parts.learner.coverage(payloads(parts, candidates, subset, shards), seed=seed)
    chosen = acquisition.select(
        parts.config.acquisition.coverage,
        acquisition.Candidates(features_N_D=_tensor(features_N_D)),
        size,
        seed=seed,
    )
    return _chosen(subset, chosen.indices, None)


def _chosen(subset: NDArray[Any], indices: Tensor, proposals: Tensor | None) -> list[Chosen]:
    found = [int(subset[int(index)]) for index in indices]
    chances = [None] * len(found) if proposals is None else proposals.tolist()
    return [Chosen(index, chance) for index, chance in zip(found, chances, strict=True)]


def _drawn(rest_N: NDArray[Any], limit: int, seed: int) -> NDArray[Any]:
    if len(rest_N) <= limit:
        return rest_N
    return np.sort(np.random.default_rng(seed).choice(rest_N, limit, replace=False))


def _control(seed: int, candidates: int, size: int) -> list[Pick]:
    drawn = np.random.default_rng(derive_seed(seed, "control")).choice(candidates, size, replace=False)
    return [
        Pick(
            index=int(index),
            reason=Reason.CONTROL,
            propensity=size / candidates,
            proposal=1 / (candidates - before),
        )
        for before, index in enumerate(drawn)
    ]


def _mixed(seed: int, wanted: list[Pick], control: list[Pick]) -> list[Pick]:
    """Put the random picks among the others, never first, so that nobody can tell which they are."""
    picks = list(wanted)
    places = np.random.default_rng(derive_seed(seed, "mix"))
    for pick in control:
        picks.insert(int(places.integers(1, len(picks) + 1)) if picks else 0, pick)
    return picks


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(array))
