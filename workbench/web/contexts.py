"""What each template may use."""

from dataclasses import dataclass
from typing import ClassVar

from workbench.web.rendering import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """Something is not as it was asked for."""

    template: ClassVar[str] = "error.html"

    frame: Frame
    status: int
    title: str
    words: str
    #: The project it was about, if it was about one.
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """The form that takes a token."""

    template: ClassVar[str] = "sign_in.html"

    frame: Frame
    #: Where to go on to.
    goal: str
    #: What was wrong, if something was.
    problem: str | None = None
