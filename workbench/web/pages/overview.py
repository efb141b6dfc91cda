"""A project at a glance: where it stands, its curve, and what every panel answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from workbench.domain.rounds import FINISHED
from workbench.storage.facts.rounds import RoundThen
from workbench.web.desk import Desk, DeskHere
from workbench.web.heads import Head, frame_of, head_of
from workbench.web.lookup import MomentHere, ProjectHere
from workbench.web.pages.panels import PanelName, old_words
from workbench.web.panels import Entry, PanelView, entry_of, navigation, view_of
from workbench.web.readings import PATIENCE_SECONDS
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)
#: Shown at once; the others come as they are read.
FIRST = ("headline", "budget_curve")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPart:
    """What a panel answers, with its first chart.

    Attributes:
        panel: None while it is being read.
        old: That something has changed since, in words; empty where nothing has.
    """

    template: ClassVar[str] = "parts/lead.html"

    head: Head
    entry: Entry
    panel: PanelView | None
    old: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The first page of a project."""

    template: ClassVar[str] = "overview.html"

    frame: Frame
    head: Head
    open_round: RoundThen | None
    first: tuple[LeadPart, ...]
    others: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPart:
    """What a panel answers, in short; likewise."""

    template: ClassVar[str] = "parts/card.html"

    head: Head
    entry: Entry
    panel: PanelView | None
    old: str


@router.get("/projects/{slug}")
def overview(place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere) -> HTMLResponse:
    """A project at a glance."""
    entries = [entry for _, group in navigation() for entry in group]
    context = OverviewPage(
        frame=frame_of(place, visitor, "overview"),
        head=head_of(place, at),
        open_round=_open_round(place),
        first=tuple(
            _lead(desk, visitor, place, entry.name, at, PATIENCE_SECONDS / len(FIRST))
            for entry in entries
            if entry.name in FIRST
        ),
        others=tuple(entry for entry in entries if entry.name not in FIRST),
    )
    return Renderer().page(context)


def _open_round(place: Place) -> RoundThen | None:
    with place.store.read() as tx:
        rounds = tx.facts(place.project).rounds.all()
    return next((found for found in reversed(rounds) if found.state not in FINISHED), None)


def _lead(
    desk: Desk,
    visitor: Visitor,
    place: Place,
    panel: str,
    at: datetime | None,
    patience: float | None = None,
) -> LeadPart:
    heard = desk.readings.soon(visitor, place.store, place.project, panel, at=at, patience=patience)
    return LeadPart(
        head=head_of(place, at),
        entry=entry_of(panel),
        panel=view_of(heard.said, most=1) if heard.said else None,
        old=old_words(heard),
    )


@router.get("/projects/{slug}/panels/{panel}/lead")
def lead(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName
) -> HTMLResponse:
    """What one panel answers, with its first chart."""
    return Renderer().page(_lead(desk, visitor, place, panel, at))


@router.get("/projects/{slug}/panels/{panel}/card")
def card(
    place: ProjectHere, visitor: ViewerHere, desk: DeskHere, at: MomentHere, panel: PanelName
) -> HTMLResponse:
    """What one panel answers."""
    heard = desk.readings.soon(visitor, place.store, place.project, panel, at=at)
    shown = view_of(heard.said, drawn=0, most=0) if heard.said else None
    part = CardPart(head=head_of(place, at), entry=entry_of(panel), panel=shown, old=old_words(heard))
    return Renderer().page(part)
