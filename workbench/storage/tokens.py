"""Keys to the dashboard, and who has signed in with them: digests only, which open nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from workbench.domain.errors import TokenProblem
from workbench.domain.roles import Role, Session, Token
from workbench.storage.statements import insert_missing, insert_one
from workbench.storage.tables import token, web_session

#: How exactly it is known when a token was used last: writing at each request would hold up others.
USED_EVERY = timedelta(hours=1)


class Tokens:
    """The tables of tokens and sessions."""

    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def create(self, name: str, role: Role, digest: str, expires_at: datetime | None = None) -> None:
        """Keep a new token.

        Raises:
            TokenProblem: There is one of this name, good or revoked.
        """
        row = {"name": name, "role": str(role), "digest": digest, "created_at": self._now}
        if not insert_missing(self._connection, token, [{**row, "expires_at": expires_at}]):
            raise TokenProblem(
                f"There is a token '{name}' already: names are in the audit trail, so each is given once. "
                "Take another name; `workbench token list` shows them all."
            )

    def all(self) -> list[Token]:
        """Every token, also those that open nothing any more, by name."""
        return [_token(row) for row in self._connection.execute(sa.select(token).order_by(token.c.name))]

    def exist(self) -> bool:
        """Whether there is a token, good or not."""
        return self._connection.execute(sa.select(token.c.id).limit(1)).first() is not None

    def any_good(self) -> bool:
        """Whether there is a token that opens something."""
        return any(found.opens(self._now) for found in self.all())

    def find(self, digest: str) -> Token | None:
        """The token with this digest, if it is good."""
        row = self._connection.execute(sa.select(token).where(token.c.digest == digest)).first()
        found = None if row is None else _token(row)
        return found if found is not None and found.opens(self._now) else None

    def revoke(self, name: str) -> None:
        """Let a token open nothing any more, and end its sessions.

        Raises:
            TokenProblem: There is none of this name.
        """
        row = self._connection.execute(sa.select(token.c.id).where(token.c.name == name)).first()
        if row is None:
            raise TokenProblem(
                f"There is no token '{name}'. Type `workbench token list` to see those there are."
            )
        self._connection.execute(web_session.delete().where(web_session.c.token_id == row.id))
        self._connection.execute(
            token.update()
            .where(token.c.id == row.id, token.c.revoked_at.is_(None))
            .values(revoked_at=self._now)
        )

    def is_stale(self, found: Token) -> bool:
        """Whether it is long ago that its use was noted."""
        return found.used_at is None or self._now - found.used_at > USED_EVERY

    def used(self, token_id: int) -> None:
        """Note that a token was used."""
        self._connection.execute(token.update().where(token.c.id == token_id).values(used_at=self._now))

    def open_session(self, token_id: int, digest: str, expires_at: datetime) -> None:
        """Keep that somebody signed in; sessions that are over are swept away."""
        self._connection.execute(web_session.delete().where(web_session.c.expires_at <= self._now))
        values = {"token_id": token_id, "digest": digest, "created_at": self._now}
        insert_one(self._connection, web_session, **values, expires_at=expires_at)

    def session(self, digest: str) -> Session | None:
        """The session with this digest, if it is good."""
        columns: Sequence[Any] = (token, web_session.c.expires_at.label("ends_at"))
        row = self._connection.execute(
            sa.select(*columns)
            .join(token, token.c.id == web_session.c.token_id)
            .where(web_session.c.digest == digest)
        ).first()
        if row is None:
            return None
        found = Session(token=_token(row), expires_at=row.ends_at)
        return found if found.opens(self._now) else None

    def close_session(self, digest: str) -> None:
        """Sign out."""
        self._connection.execute(web_session.delete().where(web_session.c.digest == digest))


def _token(row: Any) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
