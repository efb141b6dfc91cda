"""The list of projects."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from workbench.web.contexts import ErrorPage
from workbench.web.desk import DeskHere
from workbench.web.rendering import Frame, Renderer
from workbench.web.security.access import ViewerHere

router = APIRouter(include_in_schema=False)


@router.get("/")
def projects(desk: DeskHere, visitor: ViewerHere) -> HTMLResponse:
    """Every project that the visitor may see."""
    words = ", ".join(place.slug for place in desk.site.places(visitor.store))
    return Renderer().page(
        ErrorPage(frame=Frame(title="Projects", visitor=visitor), status=200, title="Projects", words=words)
    )
