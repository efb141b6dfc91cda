"""One page for each panel, its tables as CSV, its charts as pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from starlette.responses import HTMLResponse, Response

from workbench.reports.faces.spreadsheet import as_csv
from workbench.reports.outlook import accuracies, last_batch, most_labels
from workbench.reports.panel import View
from workbench.reports.panels.catalog import PANELS
from workbench.web.desk import Desk, DeskHere
from workbench.web.filters import address
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.panels import Entry, PanelView, entry_of, item_keys, view_of
from workbench.web.previews import Preview, preview
from workbench.web.readings import RECENT, Heard, Said
from workbench.web.refusals import NotHere
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
MOST_LABELS = 10_000_000
#: Panels that show items, and let a reader choose.
BY_ROUND, COMPARES, ASKS = "batch", "comparison", "forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a reader may choose on a panel; empty where there is no choice.

    Attributes:
        labels: How many labels the next batches might have: chosen, and at most.
    """

    rounds: tuple[int, ...] = ()
    round: int | None = None
    projects: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    labels: int | None = None
    most_labels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPage:
    """A panel on a page of its own.

    Attributes:
        panel: None where reading it takes a while: it comes after the page, from ``again``.
        old: That something has changed since, in words; empty where nothing has.
        again: Where the panel, or a newer one, is to be had.
        whole: The page with everything in it, for those without script.
        chosen: What was chosen, as it stands in addresses: files and pictures are of the same.
    """

    template: ClassVar[str] = "panel.html"

    frame: Frame
    head: Head
    entry: Entry
    panel: PanelView | None
    choices: Choices
    previews: Mapping[str, Preview]
    old: str
    again: str
    whole: str
    chosen: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPart:
    """The same without what is around it: for a choice that was changed."""

    template: ClassVar[str] = "parts/panel_body.html"

    head: Head
    panel: PanelView | None
    choices: Choices
    previews: Mapping[str, Preview]
    old: str
    again: str
    chosen: Mapping[str, Any]


def panel_name(panel: Annotated[str, InPath(max_length=100, description="The panel's name.")]) -> str:
    """The panel of an address.

    Raises:
        NotHere: There is none of that name.
    """
    if panel not in {each.name for each in PANELS}:
        known = ", ".join(each.name for each in PANELS)
        raise NotHere(f"There is no such panel. There are {known}.")
    return panel


PanelName = Annotated[str, Depends(panel_name)]
TableName = Annotated[str, InPath(max_length=100, description="The table's name.")]


def view_here(
    round: Annotated[int | None, Query(ge=0, le=10_000_000)] = None,  # noqa: A002  # as it is called in addresses
    compare: Annotated[list[str] | None, Query(max_length=20)] = None,
    labels: Annotated[int | None, Query(ge=0, le=MOST_LABELS)] = None,
) -> View:
    """What a reader has chosen."""
    return View(round=round, compare=tuple(compare or ()), labels=labels)


ViewHere = Annotated[View, Depends(view_here)]


@router.get("/projects/{slug}/panels/{panel}")
def panel_page(
    place: ProjectHere,
    visitor: ViewerHere,
    desk: DeskHere,
    at: MomentHere,
    panel: PanelName,
    view: ViewHere,
    whole: bool = False,
) -> HTMLResponse:
    """A panel with all it says; what takes a while comes after the page."""
    part = _part(place, visitor, desk, at, panel, view, wait=whole)
    entry = entry_of(panel)
    here = f"{part.head.base}/panels/{panel}"
    context = PanelPage(
        frame=frame_of(place, visitor, panel, entry.title),
        head=part.head,
        entry=entry,
        panel=part.panel,
        choices=part.choices,
        previews=part.previews,
        old=part.old,
        again=part.again,
        whole=address(here, **part.chosen, whole="true"),
        chosen=part.chosen,
    )
    return Renderer().page(context)


@router.get("/projects/{slug}/panels/{panel}/body")
def panel_part(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName, view: ViewHere
) -> HTMLResponse:
    """The same for a page that is there already."""
    return Renderer().page(_part(place, visitor, desk, at, panel, view))


@router.get("/projects/{slug}/panels/{panel}/charts/{chart}.svg")
def drawing(
    place: ProjectHere,
    visitor: ViewerHere,
    desk: DeskHere,
    at: MomentHere,
    panel: PanelName,
    view: ViewHere,
    chart: Annotated[str, InPath(max_length=100)],
) -> Response:
    """A chart as a picture."""
    said = recent(place, visitor, desk, at, panel, view).said
    for found in said.panel.reading.charts:
        if found.name == chart:
            return Response(said.drawing(found), media_type="image/svg+xml")
    raise NotHere("There is no such chart in this panel.")


@router.get("/projects/{slug}/panels/{panel}/tables/{table}.csv")
def spreadsheet(
    place: ProjectHere,
    visitor: ViewerHere,
    desk: DeskHere,
    at: MomentHere,
    panel: PanelName,
    view: ViewHere,
    table: TableName,
) -> Response:
    """A table as CSV, with all its rows."""
    return csv_of(recent(place, visitor, desk, at, panel, view).said, table)


class Recent(NamedTuple):
    """What a panel said not long ago, and whether a newer one is being read."""

    said: Said
    newer: bool


def recent(place: Place, visitor: Visitor, desk: Desk, at: datetime | None, panel: str, view: View) -> Recent:
    """What a panel says, or said not long ago if the newer takes a while."""
    heard = desk.readings.soon(visitor, place.store, place.project, panel, view, at, oldest=RECENT)
    assert heard.said is not None
    return Recent(heard.said, heard.newer)


def old_words(heard: Heard) -> str:
    """Of when it is, where something has changed since; empty where nothing has."""
    if heard.said is None or not heard.newer:
        return ""
    return f"As of {heard.said.report.at:%Y-%m-%d %H:%M:%S} UTC. What has changed since is being read."


def csv_of(said: Said, name: str) -> Response:
    """A table of a reading as a file.

    Raises:
        NotHere: There is none of that name.
    """
    for table in said.panel.reading.tables:
        if table.name == name:
            headers = {"Content-Disposition": f'attachment; filename="{table.name}.csv"'}
            return Response(as_csv(table), media_type="text/csv; charset=utf-8", headers=headers)
    raise NotHere("There is no such table in this panel.")


def _part(
    place: Place,
    visitor: Visitor,
    desk: Desk,
    at: datetime | None,
    panel: str,
    view: View,
    *,
    wait: bool = False,
) -> PanelPart:
    readings, head = desk.readings, head_of(place, at)
    chosen = {"round": view.round, "compare": view.compare, "labels": view.labels, "at": head.at}
    if wait:
        heard = Heard(readings.panel(visitor, place.store, place.project, panel, view, at), newer=False)
    else:
        heard = readings.soon(visitor, place.store, place.project, panel, view, at)
    shown = view_of(heard.said) if heard.said else None
    with place.store.read() as tx:
        items = tx.facts(place.project, at).visits.items(item_keys(shown.sheets)) if shown else {}
    return PanelPart(
        head=head,
        panel=shown,
        choices=choices_of(place, at, panel, view),
        previews={key: preview(place.slug, item) for key, item in items.items()},
        old=old_words(heard),
        again=address(f"{head.base}/panels/{panel}/body", **chosen),
        chosen=chosen,
    )


def choices_of(place: Place, at: datetime | None, panel: str, view: View) -> Choices:
    """What a reader may choose on a panel."""
    if panel not in (BY_ROUND, COMPARES, ASKS):
        return Choices()
    with place.store.read() as tx:
        facts = tx.facts(place.project, at)
        if panel == BY_ROUND:
            known = facts.rounds.all()
            rounds = [found.number for found in known]
            # As the panel does it: where none is named, the newest one that has a batch.
            able = [found.number for found in known if found.has_chosen] or rounds
            chosen = view.round if view.round is not None else able[-1] if able else None
            return Choices(rounds=tuple(reversed(rounds)), round=chosen)
        if panel == COMPARES:
            others = [each.name for each in tx.projects.all() if each.id != place.project.id]
            return Choices(projects=tuple(others), compare=view.compare)
        points = accuracies(facts)
        left = int(most_labels(facts, points, facts.rounds.all())) - (points[-1].labels if points else 0)
    if not points or left < 1:
        return Choices()
    most = min(left, max(1000, round(points[-1].labels * 2, -3)))
    return Choices(
        labels=min(most, view.labels if view.labels is not None else last_batch(points)), most_labels=most
    )
