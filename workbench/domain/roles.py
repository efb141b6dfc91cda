"""Who may do what at the dashboard."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a token opens. Each role may do all that the ones before it may."""

    #: Sees everything but who people are.
    VIEWER = "viewer"
    #: Sees names; starts, pauses, cancels and pushes rounds.
    OPERATOR = "operator"
    #: Changes the budget and hands out tokens.
    ADMIN = "admin"

    def allows(self, wanted: "Role") -> bool:
        """Whether this role may do what another one may."""
        order = list(Role)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A key to the dashboard as the database knows it: without the key itself.

    Attributes:
        name: Whose it is; events say it did what was done with it.
        used_at: When it was last seen, give or take an hour.
    """

    id: int
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def opens(self, now: datetime) -> bool:
        """Whether it is good now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who has signed in with a token."""

    token: Token
    expires_at: datetime

    def opens(self, now: datetime) -> bool:
        """Whether it is good now: it ends with its token."""
        return self.expires_at > now and self.token.opens(now)
