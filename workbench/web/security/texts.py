"""Refuse what is no text before a database is asked about it: not every database takes it."""

from starlette.requests import Request

from workbench.web.refusals import NotHere


def storable(text: str) -> bool:
    """Whether every database keeps it: no zero byte, no half of a pair of surrogates."""
    return "\0" not in text and text == text.encode("utf-8", "replace").decode()


def check_address(request: Request) -> None:
    """The dependency of all routes: nothing has a name with a zero byte.

    Raises:
        NotHere: What is asked for does.
    """
    named = (*request.path_params.values(), *request.query_params.values())
    if any("\0" in str(value) for value in named):
        raise NotHere("There is no such thing here: no name has a zero byte.")
