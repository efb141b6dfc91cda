"""Read all panels of a project at one moment, so that they agree with each other."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from workbench.domain.pseudonyms import Names, open_names
from workbench.domain.records import Project
from workbench.domain.terms import Terms
from workbench.reports.panel import Panel, Reading, View
from workbench.reports.panels.catalog import PANELS
from workbench.reports.unread import read_panel
from workbench.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelReading:
    """A panel with what it says."""

    name: str
    title: str
    sentence: str
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What every face shows."""

    project: Project
    at: datetime
    terms: Terms
    panels: tuple[PanelReading, ...]


def read_report(
    store: Store,
    project: Project,
    *,
    panels: Collection[str] = (),
    view: View | None = None,
    at: datetime | None = None,
    names: Names = open_names,
    each: Callable[[PanelReading, Terms], None] | None = None,
) -> Report:
    """Read every panel, or those named, in one transaction.

    Args:
        at: Nothing that came to be known later is seen; now if None, but for what is being written now.
        names: What people are called.
        each: Is told what each panel says while the others are read.
    """
    at = at or store.settled()
    with store.read() as tx:
        facts = tx.facts(project, at, names)
        terms, found = facts.terms.now(), []
        for panel in PANELS:
            if not panels or panel.name in panels:
                said = _read(panel, read_panel(panel, facts, view or View()))
                found.append(said)
                if each is not None:
                    each(said, terms)
        return Report(project=project, at=facts.at, terms=terms, panels=tuple(found))


def _read(panel: Panel, reading: Reading) -> PanelReading:
    return PanelReading(name=panel.name, title=panel.title, sentence=panel.sentence, reading=reading)
