"""Find what an address names, among what the visitor may see."""

from typing import Annotated

from fastapi import Depends
from fastapi import Path as InPath

from workbench.web.desk import DeskHere
from workbench.web.refusals import NotHere
from workbench.web.security.access import VisitorHere
from workbench.web.site import Place

Slug = Annotated[str, InPath(max_length=200, description="The project, as in addresses.")]


def place_of(slug: Slug, desk: DeskHere, visitor: VisitorHere) -> Place:
    """The project of an address.

    Raises:
        NotHere: There is none, or it is in a database that the visitor's token does not open.
    """
    for place in desk.site.places(visitor.store):
        if place.slug == slug:
            return place
    raise NotHere("There is no such project here.")


ProjectHere = Annotated[Place, Depends(place_of)]
