"""A project at a glance: where it stands, its curve, and what every panel answers."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from workbench.web.desk import DeskHere
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.panels import PanelName
from workbench.web.panels import Entry, PanelView, navigation, view_of
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere

router = APIRouter(include_in_schema=False)
#: Shown at once; the others come as they are read.
FIRST = ("headline", "budget_curve")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The first page of a project."""

    template: ClassVar[str] = "overview.html"

    frame: Frame
    head: Head
    first: tuple[PanelView, ...]
    others: tuple[Entry, ...]


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
    first = [entry.name for entry in entries if entry.name in FIRST]
    said = [desk.readings.panel(visitor, place.store, place.project, name, at=at) for name in first]
    context = OverviewPage(
        frame=frame_of(place, visitor, "overview"),
        head=head_of(place, at),
        first=tuple(view_of(each, most=0) for each in said),
        others=tuple(entry for entry in entries if entry.name not in FIRST),
    )
    return Renderer().page(context)


@router.get("/projects/{slug}/panels/{panel}/card")
def card(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName
) -> HTMLResponse:
    """What one panel answers."""
    said = desk.readings.panel(visitor, place.store, place.project, panel, at=at)
    return Renderer().page(CardPart(head=head_of(place, at), panel=view_of(said, drawn=0, most=0)))
