"""What reports are made of beside labels and spending: predictions, diagnostics, maps of the pool."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
import sqlalchemy as sa

from workbench.domain.arms import Arm
from workbench.storage.predictions import Predictions, pack, pack_right
from workbench.storage.statements import insert_missing, insert_one
from workbench.storage.tables import diagnostic, pool_map, prediction_set


class Evidence:
    """Written by the steps of a round, once each; reports read it through ``Facts``."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def keep_predictions(self, round_id: int, arm: Arm, labels: int, predictions: Predictions) -> None:
        """Keep what an arm's model said of the held-out items in a round.

        Args:
            labels: How many labels the model had learnt from.
        """
        row = {
            "round_id": round_id,
            "arm": str(arm),
            "labels": labels,
            "n": len(predictions),
            "items_sha256": predictions.items_sha256,
            "right": pack_right(predictions.right_N),
            "content": pack(predictions),
            "created_at": self._now,
        }
        insert_missing(self._connection, prediction_set, [row])

    def keep_diagnostic(
        self, project_id: int, name: str, content: Mapping[str, Any], *, round_id: int | None = None
    ) -> None:
        """Keep a finding as it is now; a newer one of the same name does not replace it."""
        insert_one(
            self._connection,
            diagnostic,
            project_id=project_id,
            round_id=round_id,
            name=name,
            content=_plain(dict(content)),
            created_at=self._now,
        )

    def has_diagnostic(self, round_id: int, name: str) -> bool:
        """Whether a round has such a finding."""
        found = sa.select(diagnostic.c.id).where(diagnostic.c.round_id == round_id, diagnostic.c.name == name)
        return self._connection.execute(found.limit(1)).first() is not None

    def diagnostics(self, project_id: int, name: str) -> list[dict[str, Any]]:
        """All findings of a name, oldest first."""
        found = sa.select(diagnostic.c.content).where(
            diagnostic.c.project_id == project_id, diagnostic.c.name == name
        )
        return [
            dict(content) for content in self._connection.execute(found.order_by(diagnostic.c.id)).scalars()
        ]

    def keep_map(self, project_id: int, encoder: str, pool_sha256: str, content: bytes) -> None:
        """Keep a map of the pool: how items are laid out in two dimensions, and a sample of them."""
        row = {"encoder": encoder, "pool_sha256": pool_sha256, "content": content, "created_at": self._now}
        insert_missing(self._connection, pool_map, [{"project_id": project_id, **row}])

    def map_of(self, project_id: int, encoder: str) -> tuple[str, bytes] | None:
        """The newest map made with an encoder: the hash of its pool, and its content."""
        row = self._connection.execute(
            sa.select(pool_map.c.pool_sha256, pool_map.c.content)
            .where(pool_map.c.project_id == project_id, pool_map.c.encoder == encoder)
            .order_by(pool_map.c.id.desc())
            .limit(1)
        ).first()
        return None if row is None else (row.pool_sha256, row.content)


def _plain(content: Any) -> Any:
    """As every database takes it: JSON knows neither infinity nor the numbers of arrays."""
    if isinstance(content, Mapping):
        return {str(name): _plain(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    value = content.item() if isinstance(content, np.generic) else content
    return None if isinstance(value, float) and not isfinite(value) else value
