"""The picture of an item, whole or small, for those who may see the project."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from connectors.errors import SourceError
from workbench.web.desk import DeskHere
from workbench.web.lookup import ProjectHere
from workbench.web.placeholder import placeholder
from workbench.web.refusals import NotHere
from workbench.web.showing import SAFE, pool_folders

router = APIRouter(include_in_schema=False)
SMALL = 240
KEPT = {"Cache-Control": "private, max-age=3600"}


@router.get("/projects/{slug}/item/picture")
def picture(
    request: Request,
    place: ProjectHere,
    desk: DeskHere,
    key: Annotated[str, Query(max_length=10_000)],
    *,
    small: bool = False,
) -> Response:
    """The picture, or a card that says why it is not shown."""
    with place.store.read() as tx:
        item = tx.pool.by_key(place.project.id, [key]).get(key)
        folders = pool_folders(tx, place.project)
    if item is None or "path" not in item.payload:
        raise NotHere("There is no such picture.")
    mark = f'"{item.sha256[:32]}{"-small" if small else ""}"'
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers={"ETag": mark, **KEPT})
    if place.settings is not None:
        folders += place.settings.picture_folders
    try:
        found = desk.showing.show(item, folders, longest=SMALL if small else None)
    except SourceError as error:
        card = placeholder(str(error))
        return Response(card.content, status_code=404, media_type=card.kind, headers=SAFE)
    return Response(found.content, media_type=found.kind, headers={**SAFE, **KEPT, "ETag": mark})
