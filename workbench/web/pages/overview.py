"""A project at a glance: where it stands, its curve, and what every panel answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from workbench.web.desk import Desk, DeskHere
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.panels import PanelName
from workbench.web.panels import Entry, PanelView, navigation, view_of
from workbench.web.readings import asked_for
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
#: Shown at once; the others come as they are read.
FIRST = ("headline", "budget_curve")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The first page of a project."""

    template: ClassVar[str] = "overview.html"

    frame: Frame
    head: Head
    first: tuple[tuple[Entry, PanelView | None], ...]
    others: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPart:
    """What a panel answers, with its first chart."""

    template: ClassVar[str] = "parts/lead.html"

    head: Head
    panel: PanelView


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPart:
    """What a panel answers, in short."""

    template: ClassVar[str] = "parts/card.html"

    head: Head
    panel: PanelView


@router.get("/projects/{slug}")
def overview(place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere) -> HTMLResponse:
    """A project at a glance."""
    entries = [entry for _, group in navigation() for entry in group]
    context = OverviewPage(
        frame=frame_of(place, visitor, "overview"),
        head=head_of(place, at),
        first=tuple(
            (entry, _at_once(desk, visitor, place, entry.name, at))
            for entry in entries
            if entry.name in FIRST
        ),
        others=tuple(entry for entry in entries if entry.name not in FIRST),
    )
    return Renderer().page(context)


def _at_once(desk: Desk, visitor: Visitor, place: Place, panel: str, at: datetime | None) -> PanelView | None:
    """What a panel says, if that does not take long."""
    asked = asked_for(visitor, place.store, place.project, panel, at=at)
    if not desk.readings.is_quick(asked, place.store):
        return None
    return view_of(desk.readings.panel(visitor, place.store, place.project, panel, at=at), most=0)


@router.get("/projects/{slug}/panels/{panel}/lead")
def lead(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName
) -> HTMLResponse:
    """What one panel answers, with its first chart."""
    said = desk.readings.panel(visitor, place.store, place.project, panel, at=at)
    return Renderer().page(LeadPart(head=head_of(place, at), panel=view_of(said, most=0)))


@router.get("/projects/{slug}/panels/{panel}/card")
def card(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName
) -> HTMLResponse:
    """What one panel answers."""
    said = desk.readings.panel(visitor, place.store, place.project, panel, at=at)
    return Renderer().page(CardPart(head=head_of(place, at), panel=view_of(said, drawn=0, most=0)))
