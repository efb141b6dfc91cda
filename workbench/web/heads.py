"""What all pages of a project have in common."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from workbench.web.panels import Entry, navigation
from workbench.web.rendering import Crumb, Frame
from workbench.web.security.visitors import Visitor
from workbench.web.site import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A project above its pages.

    Attributes:
        at: The moment that is shown, as it stands in addresses; empty for now.
        groups: The panels, by what they are about.
    """

    slug: str
    name: str
    kind: str
    classes: int
    read_only: bool
    at: str
    groups: tuple[tuple[str, tuple[Entry, ...]], ...]

    @property
    def base(self) -> str:
        """Where its pages begin."""
        return f"/projects/{quote(self.slug)}"


def head_of(place: Place, at: datetime | None = None) -> Head:
    """The head of a project's pages."""
    return Head(
        slug=place.slug,
        name=place.project.name,
        kind=str(place.project.kind),
        classes=len(place.project.classes),
        read_only=place.read_only,
        # As exact as it was asked for: all that the page leads to is of the same moment.
        at=at.replace(tzinfo=None).isoformat() if at else "",
        groups=navigation(),
    )


def frame_of(place: Place, visitor: Visitor, here: str, *words: str) -> Frame:
    """The frame of a project's page; ``words`` say which page it is."""
    base = f"/projects/{quote(place.slug)}"
    own = Crumb(words=place.project.name, address=base if words else None)
    return Frame(
        title=" · ".join([*reversed(words), place.project.name]),
        visitor=visitor,
        crumbs=(Crumb(words="Projects", address="/"), own, *(Crumb(words=word) for word in words)),
        slug=place.slug,
        here=here,
    )
