"""How templates say values: the words of all reports, addresses, pictures of our own."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from workbench.reports.units import Unit
from workbench.reports.words import cell, plain

STATIC = Path(__file__).parent / "static"
#: What is to be typed, as our sentences write it. Names of others may hold such marks: they stay as they are.
TYPED = re.compile(r"`((?:workbench|round|pip|openssl) [^`\n]+)`")


def address(path: str, **query: Any) -> str:
    """An address with those parts of its query that are given."""
    wanted = {name: value for name, value in query.items() if value not in (None, "", ())}
    return f"{path}?{urlencode(wanted, doseq=True)}" if wanted else path


@cache
def asset(name: str) -> str:
    """The address of a file of ours: another one when the file is another, so browsers may keep it."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def icon(name: str) -> Markup:
    """A sign from our own sheet; it says nothing that the words beside it do not."""
    sheet = asset("icons.svg")
    return Markup('<svg class="sign" aria-hidden="true"><use href="{}#{}"/></svg>').format(sheet, name)


def said(value: Any) -> Markup:
    """A sentence of ours on a page: what is to be typed stands out, all else is text."""
    parts = TYPED.split(plain(value))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


def _cell(value: Any, unit: str) -> str:
    return cell(value, Unit(unit))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "cell": _cell,
    "plain": plain,
    "said": said,
}
GLOBALS: Mapping[str, Callable[..., Any]] = {
    "address": address,
    "asset": asset,
    "icon": icon,
}
