"""What training and labeling gave: model runs, metrics, spending, budget points, and the diary of events."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from workbench.domain.budget import Spending
from workbench.domain.records import (
    BudgetPoint,
    Event,
    LabelStatus,
    Metric,
    ModelRun,
    NewEvent,
    Split,
)
from workbench.storage.diary import Wanted, read_events, write_events
from workbench.storage.statements import insert_missing
from workbench.storage.tables import (
    annotation,
    budget_point,
    item,
    label,
    metric,
    model_run,
    round_,
)

_RUN = sa.select(model_run, round_.c.number.label("round_number")).join(
    round_, round_.c.id == model_run.c.round_id
)


class Results:
    """Everything that a report is made of."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str) -> None:
        self._connection = connection
        self._now = now
        self._actor = actor

    def run(self, run_id: int) -> ModelRun:
        """One model run."""
        return _run(self._connection.execute(_RUN.where(model_run.c.id == run_id)).one())

    def find_run(self, project_id: int, data_hash: str, posterior: str) -> ModelRun | None:
        """The newest model trained on exactly these labels with this configuration."""
        row = self._connection.execute(
            _RUN.where(
                model_run.c.project_id == project_id,
                model_run.c.data_hash == data_hash,
                model_run.c.posterior == posterior,
            ).order_by(model_run.c.id.desc())
        ).first()
        return None if row is None else _run(row)

    def save_run(self, project_id: int, round_id: int, config: Mapping[str, Any], **facts: Any) -> ModelRun:
        """Remember a trained model; the same training again replaces where its checkpoint lies."""
        where = sa.and_(
            model_run.c.round_id == round_id,
            model_run.c.data_hash == facts["data_hash"],
            model_run.c.posterior == facts["posterior"],
        )
        row = {"project_id": project_id, "round_id": round_id, "config": dict(config)}
        insert_missing(self._connection, model_run, [{**row, **facts, "created_at": self._now}])
        self._connection.execute(
            model_run.update().where(where).values(uri=facts["uri"], sha256=facts["sha256"])
        )
        return _run(self._connection.execute(_RUN.where(where)).one())

    def runs(self, project_id: int) -> list[ModelRun]:
        """All model runs, oldest first."""
        rows = self._connection.execute(
            _RUN.where(model_run.c.project_id == project_id).order_by(model_run.c.id)
        )
        return [_run(row) for row in rows]

    def add_metrics(self, run_id: int, round_id: int, metrics: Sequence[Metric]) -> None:
        """Keep measurements of a model, once."""
        rows = [
            {
                "model_run_id": run_id,
                "round_id": round_id,
                "split": m.split,
                "name": m.name,
                "value": m.value,
                "low": m.low,
                "high": m.high,
                "n": m.n,
                "created_at": self._now,
            }
            for m in metrics
        ]
        insert_missing(self._connection, metric, rows)

    def metrics(self, project_id: int) -> list[tuple[int, Metric]]:
        """Every measurement with the number of the round that made it."""
        rows = self._connection.execute(
            sa.select(metric, round_.c.number.label("round_number"))
            .join(round_, round_.c.id == metric.c.round_id)
            .where(round_.c.project_id == project_id)
            .order_by(round_.c.number, metric.c.id)
        )
        return [(row.round_number, to_metric(row)) for row in rows]

    def spending(self, project_id: int) -> Spending:
        """Distinct agreed labels, annotations ever made (skips cost seconds only), and seconds of people.

        An answer to a gold item costs like any other; it buys no label.
        """
        labels = self._connection.execute(
            sa.select(sa.func.count())
            .select_from(label.join(item, item.c.id == label.c.item_id))
            .where(
                item.c.project_id == project_id,
                item.c.split != Split.GOLD,
                label.c.current.is_(True),
                label.c.status == LabelStatus.AGREED,
            )
        ).scalar_one()
        each = (
            sa.select(
                sa.func.max(annotation.c.seconds).label("seconds"),
                sa.func.min(sa.cast(annotation.c.skipped, sa.Integer)).label("skipped"),
            )
            .where(annotation.c.project_id == project_id)
            .group_by(annotation.c.labeler, annotation.c.external_id)
            .subquery()
        )
        made, seconds = self._connection.execute(
            sa.select(
                sa.func.coalesce(sa.func.sum(1 - each.c.skipped), 0),
                sa.func.coalesce(sa.func.sum(each.c.seconds), 0.0),
            )
        ).one()
        return Spending(int(labels), int(made), round(float(seconds), 6))

    def add_budget_point(self, round_id: int, point: BudgetPoint) -> None:
        """Record what had been spent and bought, once a round and metric."""
        row = {
            "round_id": round_id,
            "metric": point.metric,
            "labels": point.labels,
            "annotations": point.annotations,
            "seconds": point.seconds,
            "cost": point.cost,
            "compute_seconds": point.compute_seconds,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "n": point.n,
            "created_at": self._now,
        }
        insert_missing(self._connection, budget_point, [row])

    def budget_points(self, project_id: int) -> list[BudgetPoint]:
        """The budget curve."""
        rows = self._connection.execute(
            sa.select(budget_point, round_.c.number.label("round_number"))
            .join(round_, round_.c.id == budget_point.c.round_id)
            .where(round_.c.project_id == project_id)
            .order_by(round_.c.number, budget_point.c.metric)
        )
        return [to_point(row) for row in rows]

    def note(
        self,
        project_id: int,
        kind: str,
        message: str,
        *,
        round_id: int | None = None,
        actor: str | None = None,
    ) -> None:
        """Write into the audit trail; by whoever opened the database if ``actor`` is not named."""
        self.note_all(
            project_id, [NewEvent(kind=kind, message=message, round_id=round_id, actor=actor or self._actor)]
        )

    def note_all(self, project_id: int, events: Iterable[NewEvent]) -> None:
        """Write many events at once."""
        write_events(self._connection, project_id, self._now, self._actor, events)

    def events(self, project_id: int, wanted: Wanted) -> list[Event]:
        """The audit trail, oldest first; of a project of years ask a page at a time."""
        return read_events(self._connection, project_id, wanted)


def _run(row: Any) -> ModelRun:
    return ModelRun(
        id=row.id,
        round_number=row.round_number,
        posterior=row.posterior,
        seed=row.seed,
        data_hash=row.data_hash,
        labels=row.labels,
        uri=row.uri,
        sha256=row.sha256,
        seconds=row.seconds,
    )


def to_metric(row: Any) -> Metric:
    """A row of the metric table as a record."""
    return Metric(split=row.split, name=row.name, value=row.value, low=row.low, high=row.high, n=row.n)


def to_point(row: Any) -> BudgetPoint:
    """A row of the budget curve, with its round's number, as a record."""
    return BudgetPoint(
        round_number=row.round_number,
        metric=row.metric,
        labels=row.labels,
        annotations=row.annotations,
        seconds=row.seconds,
        cost=row.cost,
        compute_seconds=row.compute_seconds,
        value=row.value,
        low=row.low,
        high=row.high,
        n=row.n,
    )
