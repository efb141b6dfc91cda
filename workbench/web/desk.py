"""What every request has at hand: one object, made with the application."""

import secrets
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from workbench.domain.roles import Role
from workbench.web.errands import Errands
from workbench.web.live import Live
from workbench.web.readings import Readings
from workbench.web.security.limits import Limiter
from workbench.web.showing import Showing
from workbench.web.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The state of an application.

    Attributes:
        open_here: Whether visitors on this machine come in without a token while there is none: not where
            other machines can reach it.
        local_role: What visitors on this machine may do while there is no token.
        local_key: Stands for a cookie while nobody has to sign in: pages carry what follows from it.
    """

    site: Site
    open_here: bool = True
    local_role: Role = Role.OPERATOR
    limiter: Limiter = field(default_factory=Limiter)
    readings: Readings = field(default_factory=Readings)
    live: Live = field(default_factory=Live)
    errands: Errands = field(default_factory=Errands)
    showing: Showing = field(default_factory=Showing)
    local_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


def desk_of(request: Request) -> Desk:
    """The application's desk."""
    desk: Desk = request.app.state.desk
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]
