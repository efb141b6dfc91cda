"""The list of projects."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from workbench.domain.records import BudgetPoint
from workbench.domain.rounds import FINISHED
from workbench.storage.facts.rounds import RoundThen
from workbench.web.desk import DeskHere
from workbench.web.rendering import Crumb, Frame, Renderer
from workbench.web.security.access import ViewerHere
from workbench.web.site import Place

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCard:
    """A project in the list."""

    slug: str
    name: str
    kind: str
    classes: int
    read_only: bool
    rounds: int
    open_round: RoundThen | None
    point: BudgetPoint | None
    currency: str
    target: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """A configuration that can not be shown."""

    config: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectsPage:
    """Every project, and what is wrong with others."""

    template: ClassVar[str] = "projects.html"

    frame: Frame
    cards: tuple[ProjectCard, ...]
    faults: tuple[FaultView, ...]


@router.get("/")
def projects(desk: DeskHere, visitor: ViewerHere) -> HTMLResponse:
    """Every project that the visitor may see."""
    cards = tuple(card_of(place) for place in desk.site.places(visitor.store))
    # Where files lie is for those who may act on them.
    faults = desk.site.faults() if visitor.sees_names and visitor.store is None else []
    context = ProjectsPage(
        frame=Frame(title="Projects", visitor=visitor, crumbs=(Crumb(words="Projects"),)),
        cards=cards,
        faults=tuple(FaultView(config=str(fault.config), words=fault.words) for fault in faults),
    )
    return Renderer().page(context)


def card_of(place: Place) -> ProjectCard:
    """A project in a few numbers."""
    with place.store.read() as tx:
        facts = tx.facts(place.project)
        rounds, points, terms = facts.rounds.all(), facts.points.curve(), facts.terms.now()
    unfinished = [found for found in rounds if found.state not in FINISHED]
    return ProjectCard(
        slug=place.slug,
        name=place.project.name,
        kind=str(place.project.kind),
        classes=len(place.project.classes),
        read_only=place.read_only,
        rounds=len(rounds),
        open_round=unfinished[-1] if unfinished else None,
        point=points[-1] if points else None,
        currency=terms.currency,
        target=terms.target,
    )
