"""All panels of a report. A new one is a new file and a line here."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any, NamedTuple

from workbench.domain.records import Project
from workbench.reports.tables import (
    agreement,
    anchoring,
    annotator_quality,
    annotators,
    attention,
    budget_curve,
    label_quality,
    random_share,
    rounds,
    second_look,
    verdict,
)
from workbench.storage.store import Store

PANELS = (
    budget_curve,
    verdict,
    random_share,
    rounds,
    annotators,
    annotator_quality,
    agreement,
    anchoring,
    label_quality,
    second_look,
    attention,
)


class Panel(NamedTuple):
    """A panel with its rows, ready to be shown or printed."""

    name: str
    title: str
    rows: list[dict[str, Any]]


def build(store: Store, project: Project, names: Collection[str] = ()) -> list[Panel]:
    """Read every panel, or those named, in one transaction, so that they agree with each other."""
    with store.read() as tx:
        return [
            Panel(panel.NAME, panel.TITLE, [asdict(row) for row in panel.rows(tx, project)])
            for panel in PANELS
            if not names or panel.NAME in names
        ]
