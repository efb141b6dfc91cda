"""Find what an address names, among what the visitor may see."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query
from fastapi import Path as InPath

from workbench.web.desk import DeskHere
from workbench.web.refusals import Away, NotHere, Wrong
from workbench.web.security.access import VisitorHere
from workbench.web.site import Place

Slug = Annotated[str, InPath(max_length=200, description="The project, as in addresses.")]


def place_of(slug: Slug, desk: DeskHere, visitor: VisitorHere) -> Place:
    """The project of an address.

    Raises:
        NotHere: There is none, or it is in a database that the visitor's token does not open.
        Away: It may be in a database that can not be used now.
    """
    for place in desk.site.places(visitor.store):
        if place.slug == slug:
            return place
    if why := desk.site.missing(visitor.store):
        raise Away(why if visitor.sees_names else "Its database can not be used now.")
    raise NotHere("There is no such project here.")


ProjectHere = Annotated[Place, Depends(place_of)]


def moment_of(
    at: Annotated[
        str | None, Query(max_length=40, description="A moment, as 2026-03-01 or 2026-03-01T09:00+01:00.")
    ] = None,
) -> datetime | None:
    """The moment that is asked for; None for now. A day means its end, a time without a zone is UTC.

    Raises:
        Wrong: It is no time.
    """
    if not at:
        return None
    try:
        found = datetime.fromisoformat(f"{at}T23:59:59.999999" if len(at) == 10 else at)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Wrong(
            "This is no time. Expected as in 2026-03-01 or 2026-03-01T09:00+01:00, in UTC without a zone."
        ) from error


MomentHere = Annotated[datetime | None, Depends(moment_of)]
