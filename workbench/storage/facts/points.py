"""What was spent when, and what it had bought."""

from functools import cached_property

import sqlalchemy as sa

from workbench.domain.records import BudgetPoint, Metric
from workbench.storage.facts.moment import Moment
from workbench.storage.results import to_metric, to_point
from workbench.storage.tables import budget_point, metric, round_


class PointFacts:
    """Budget points and metrics as they were known at a moment; read once, as a moment does not change."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def curve(self) -> list[BudgetPoint]:
        """The budget curve, oldest first."""
        return self._curve

    def metrics(self) -> list[tuple[int, Metric]]:
        """Every measurement with the number of the round that made it."""
        return self._metrics

    @cached_property
    def _curve(self) -> list[BudgetPoint]:
        rows = self._moment.connection.execute(
            sa.select(budget_point, round_.c.number.label("round_number"))
            .join(round_, round_.c.id == budget_point.c.round_id)
            .where(
                round_.c.project_id == self._moment.project.id,
                self._moment.known(budget_point.c.created_at),
            )
            .order_by(round_.c.number, budget_point.c.metric)
        )
        return [to_point(row) for row in rows]

    @cached_property
    def _metrics(self) -> list[tuple[int, Metric]]:
        rows = self._moment.connection.execute(
            sa.select(metric, round_.c.number.label("round_number"))
            .join(round_, round_.c.id == metric.c.round_id)
            .where(round_.c.project_id == self._moment.project.id, self._moment.known(metric.c.created_at))
            .order_by(round_.c.number, metric.c.id)
        )
        return [(row.round_number, to_metric(row)) for row in rows]
