"""Why a request is not answered as it was asked, in the house's words."""

from starlette.exceptions import HTTPException


class Refusal(HTTPException):
    """The base: a status and words for the reader."""

    status = 400

    def __init__(self, words: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status_code=self.status, detail=words, headers=headers)


class SignInNeeded(Refusal):
    """Nobody has signed in."""

    status = 401


class Forbidden(Refusal):
    """It takes another role, or the form did not come from our page."""

    status = 403


class NotHere(Refusal):
    """There is no such thing, or not for this visitor."""

    status = 404


class Wrong(Refusal):
    """What was sent can not be used."""

    status = 422


class Slower(Refusal):
    """Too many wrong keys."""

    status = 429


class Conflict(Refusal):
    """It can not be done as things stand."""

    status = 409


class Away(Refusal):
    """A database can not be used as it is."""

    status = 503
