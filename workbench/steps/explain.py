"""Why a batch looks as it does: each pick's nearest labeled item, its likeness to picks before it, its place.

Nothing is chosen by this, and nothing fails by it: a batch that can not be explained goes out as it is. The
space is that of the pool's map: what the encoder makes of items without a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.records import PoolShard, Selection
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed
from workbench.learning.encoders.protocol import Payload
from workbench.steps.models import examples
from workbench.steps.parts import Parts
from workbench.steps.pool_map import Drawn, keep_map, map_of_pool, plain_features
from workbench.steps.unforeseen import UNFORESEEN, in_words
from workbench.storage.maps import PoolMap
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

#: Labeled items that picks are compared with, and picks of a batch that are compared with each other.
MOST_LABELED, MOST_PICKS = 10_000, 2_000
#: Labeled items that are looked at together.
AT_ONCE = 1000
#: Picks of a batch that are held against those before them together.
ROWS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A batch with its explanations, the map they refer to, and what stood in the way if there are none."""

    batch: list[Selection]
    drawn: Drawn | None = None
    problem: str | None = None


class _Nearest(NamedTuple):
    """The nearest labeled item of each pick, and how far it is; infinitely far while there is none."""

    keys: list[str | None]
    distance_P: NDArray[np.float32]


def explained(
    parts: Parts, batch: Sequence[Selection], payloads: Mapping[str, Payload], shards: Sequence[PoolShard]
) -> Explained:
    """Explain the picks of a batch that are new; the same batch is explained in the same way.

    Args:
        payloads: Of the picks that are new, by key.
    """
    try:
        drawn = map_of_pool(parts, shards)
        return Explained(batch=_with_reasons(parts, batch, payloads, drawn.map), drawn=drawn)
    except UNFORESEEN as problem:
        return Explained(batch=list(batch), problem=in_words(problem))


def keep_explained(tx: Transaction, held: Round, found: Explained) -> None:
    """Keep what belongs to the explanation beside the batch, in the transaction that writes the batch."""
    if found.drawn is not None:
        keep_map(tx, held.project_id, found.drawn)
    if found.problem is not None:
        message = f"The batch is not explained: {found.problem}"
        tx.results.note(held.project_id, "explain", message, round_id=held.id)


def likeness(spread_P_D: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute of each row the largest cosine with a row before it; NaN for the first. O(P²·D)."""
    lengths_P = np.linalg.norm(spread_P_D, axis=1, keepdims=True)
    unit_P_D = spread_P_D / np.maximum(lengths_P, np.float32(1e-12))
    found_P = np.full(len(unit_P_D), np.nan, np.float32)
    for first in range(0, len(unit_P_D), ROWS):
        cosine_R_P = unit_P_D[first : first + ROWS] @ unit_P_D[: first + ROWS].T
        rows, columns = cosine_R_P.shape
        before_R_P = np.tri(rows, columns, first - 1, dtype=bool)
        found_P[first : first + ROWS] = np.where(before_R_P, cosine_R_P, -np.inf).max(1)
    found_P[:1] = np.nan
    return found_P.clip(-1.0, 1.0)


def _with_reasons(
    parts: Parts, batch: Sequence[Selection], payloads: Mapping[str, Payload], pool_map: PoolMap
) -> list[Selection]:
    new = [pick.item_key for pick in batch if pick.item_key in payloads][:MOST_PICKS]
    if not new:
        return list(batch)
    spread_P_D = pool_map.spread(plain_features(parts, [payloads[key] for key in new]))
    nearest = _nearest(parts, spread_P_D, pool_map)
    columns = (nearest.keys, nearest.distance_P, likeness(spread_P_D), pool_map.points(spread_P_D))
    told = {key: _told(*values) for key, *values in zip(new, *columns, strict=True)}
    return [replace(pick, **told.get(pick.item_key, {})) for pick in batch]


def _told(
    neighbour: str | None, distance: float, redundancy: float, point: Sequence[float]
) -> dict[str, Any]:
    return {
        "neighbour": neighbour,
        "neighbour_distance": _number(distance),
        "redundancy": _number(redundancy),
        "x": _number(point[0]),
        "y": _number(point[1]),
    }


def _number(value: float) -> float | None:
    """As the database takes it; what is no number is not known."""
    return float(value) if np.isfinite(value) else None


def _nearest(parts: Parts, spread_P_D: NDArray[np.float32], pool_map: PoolMap) -> _Nearest:
    """Compare with labeled items chunk by chunk; of very many a part that is drawn by a hash of keys."""
    seed = derive_seed(parts.project.seed, "neighbours")
    labeled = sorted(examples(parts), key=lambda e: (derive_seed(seed, e.key), e.key))[:MOST_LABELED]
    keys: list[str | None] = [None] * len(spread_P_D)
    best_P = np.full(len(spread_P_D), np.inf, np.float32)
    for some in chunked(labeled, AT_ONCE):
        others_L_D = pool_map.spread(plain_features(parts, [example.payload for example in some]))
        # ‖a − b‖² without ‖a‖², which is the same for all b: enough to find the nearest one.
        near_P = ((others_L_D**2).sum(1) - 2 * spread_P_D @ others_L_D.T).argmin(1)
        distance_P = np.linalg.norm(others_L_D[near_P] - spread_P_D, axis=1)
        for pick in np.flatnonzero(distance_P < best_P).tolist():
            keys[pick] = some[int(near_P[pick])].key
        best_P = np.minimum(best_P, distance_P)
    return _Nearest(keys, best_P)
