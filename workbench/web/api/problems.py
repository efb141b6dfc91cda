"""What every route of the API may answer besides what it is asked for, and how programs say who they are."""

from typing import Any

from fastapi.security import HTTPBearer

from workbench.web.api.models import Problem

_WORDS = {
    400: "What was sent can not be read.",
    401: "No token, or one that opens nothing.",
    403: "It takes another role.",
    404: "There is no such thing here.",
    409: "Not as things stand.",
    413: "What was sent is too large.",
    422: "What was sent can not be used.",
    429: "Too many wrong tokens.",
    503: "The database is away.",
}
_SCHEMA = Problem.model_json_schema()
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {"application/problem+json": {"schema": _SCHEMA}}}
    for status, words in _WORDS.items()
}
#: For the description alone: who is asking is found out by ``workbench.web.security.access``.
bearer = HTTPBearer(auto_error=False, description="A token of `workbench token create`.")
