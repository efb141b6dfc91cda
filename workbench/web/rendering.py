"""Pages from templates. What a template may use is declared: a frozen record names its file and its words."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Protocol

import jinja2
from starlette.responses import HTMLResponse

from workbench.domain.roles import Role
from workbench.web.filters import FILTERS, GLOBALS
from workbench.web.security.visitors import Visitor


class Context(Protocol):
    """A record that a template is filled with: its fields are all that the template may name."""

    template: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crumb:
    """One step of the way to a page."""

    words: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every page has around its content.

    Attributes:
        title: Of the browser's tab.
        visitor: None on pages that are shown before signing in.
        slug: The project, where the page is about one.
        here: Which entry of the navigation the page is.
    """

    title: str
    visitor: Visitor | None = None
    crumbs: tuple[Crumb, ...] = ()
    slug: str | None = None
    here: str = ""

    @property
    def csrf(self) -> str:
        """What forms carry."""
        return (self.visitor.csrf or "") if self.visitor else ""

    @property
    def is_admin(self) -> bool:
        """Whether the visitor may change the budget and hand out tokens."""
        return self.visitor is not None and self.visitor.may(Role.ADMIN)


@cache
def environment() -> jinja2.Environment:
    """Jinja2 with the house's filters; templates are compiled once."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("workbench.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(GLOBALS)
    return made


class Renderer:
    """Fills templates; everything is escaped, and a name that is not declared is an error."""

    def text(self, context: Context) -> str:
        """The filled template."""
        template = environment().get_template(context.template)
        # Of a record without a mutable part: given to the template as it is, not copied.
        values = {each.name: getattr(context, each.name) for each in fields(context)}
        return template.render(values)

    def page(
        self, context: Context, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> HTMLResponse:
        """The filled template as an answer."""
        return HTMLResponse(self.text(context), status_code=status, headers=headers)
