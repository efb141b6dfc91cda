"""The map on which picks are shown: drawn when the pool changes, on the same axes from the first round on.

Its axes are those of the pool's first sample. When the pool grows a new sample is laid out on the same axes,
so that batches of different rounds can be compared. One pass over the keys of the pool, and nothing while the
pool stays as it is.
"""

import hashlib
import heapq
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.domain.records import PoolShard
from workbench.domain.seeds import derive_seed
from workbench.learning.directions import look_at
from workbench.learning.encoders.protocol import Payload
from workbench.learning.network import SCALED
from workbench.steps.parts import Parts
from workbench.storage.maps import PoolMap, pack_map, unpack_map
from workbench.storage.shards import read_keys, rows_of
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

#: Items of the pool that stand for it on the map.
SAMPLE = 2000
#: Payloads that are read and looked at together.
AT_ONCE = 256


class Drawn(NamedTuple):
    """The map of a pool, and what it is kept under."""

    encoder: str
    pool_sha256: str
    map: PoolMap


class _Place(NamedTuple):
    """Where an item lies, before that its lot; the lowest ones are drawn."""

    lot: int
    key: str
    shard: int
    row: int


def map_of_pool(parts: Parts, shards: Sequence[PoolShard]) -> Drawn:
    """Take the map of the pool, or draw it. The same pool gives the same map.

    Raises:
        PoolProblem: An item that can not be read.
        ArtifactProblem: A shard that can not be read.
    """
    encoder = _encoder(parts)
    pool = hashlib.sha256("\n".join(shard.sha256 for shard in shards).encode()).hexdigest()
    with parts.store.read() as tx:
        last = tx.evidence.map_of(parts.project.id, encoder)
    before = None if last is None else unpack_map(last[1])
    if last is not None and before is not None and last[0] == pool:
        return Drawn(encoder, pool, before)
    sample_S_D = _sample(parts, shards)
    seen = before or _looked(parts, sample_S_D)
    points_S_2 = seen.points(seen.spread(sample_S_D))
    return Drawn(
        encoder,
        pool,
        PoolMap(
            mean_D=seen.mean_D,
            scale_D=seen.scale_D,
            directions_D_2=seen.directions_D_2,
            sample_S_2=points_S_2,
        ),
    )


def keep_map(tx: Transaction, project_id: int, drawn: Drawn) -> None:
    """Keep a map, once for each pool."""
    tx.evidence.keep_map(project_id, drawn.encoder, drawn.pool_sha256, pack_map(drawn.map))


def plain_features(parts: Parts, payloads: Sequence[Payload]) -> NDArray[Any]:
    """Compute features_N_D of items, a few at a time."""
    return np.concatenate([parts.learner.plain(some) for some in chunked(payloads, AT_ONCE)])


def _encoder(parts: Parts) -> str:
    """What decides the features of an item."""
    spec = parts.learner.spec
    options = json.dumps(dict(spec.encoder_options), sort_keys=True, default=str)
    return f"{spec.encoder}-{hashlib.sha256(options.encode()).hexdigest()[:12]}"


def _looked(parts: Parts, sample_S_D: NDArray[Any]) -> PoolMap:
    each = parts.learner.spec.encoder in SCALED
    look = look_at(sample_S_D, each=each, seed=derive_seed(parts.project.seed, "map"))
    return PoolMap(**look._asdict(), sample_S_2=np.zeros((0, 2), np.float32))


def _sample(parts: Parts, shards: Sequence[PoolShard]) -> NDArray[Any]:
    """Features of items drawn by a hash of their keys: another shard takes places, and moves none."""
    drawn = sorted(heapq.nsmallest(SAMPLE, _places(parts, shards)), key=lambda place: place[2:])
    features = []
    with parts.progress(f"Drawing a map of the pool from {len(drawn)} items") as report:
        for position, shard in enumerate(shards):
            rows = [place.row for place in drawn if place.shard == position]
            for some in chunked(rows, AT_ONCE):
                found = rows_of(parts.directory / shard.uri, np.array(some))
                features.append(parts.learner.plain([row.payload for row in found]))
                report(sum(map(len, features)), len(drawn))
    return np.concatenate(features)


def _places(parts: Parts, shards: Sequence[PoolShard]) -> Iterator[_Place]:
    seed = derive_seed(parts.project.seed, "map")
    for position, shard in enumerate(shards):
        for row, key in enumerate(read_keys(parts.directory / shard.uri)):
            yield _Place(derive_seed(seed, key), key, position, row)
