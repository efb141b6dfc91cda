"""What an item looks like in a few pixels or words. Its text is anybody's: it is shown as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.domain.records import Item
from workbench.reports.words import short
from workbench.web.filters import address

#: Letters of a text in a table.
FEW = 140
NUMBERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A picture's address, or words; at most one of them."""

    picture: str | None = None
    words: str | None = None


def preview(slug: str, item: Item, *, whole: bool = False) -> Preview:
    """Show an item: small in tables, ``whole`` on its page."""
    payload = item.payload
    if "path" in payload:
        small = None if whole else "1"
        return Preview(picture=address(f"/projects/{slug}/item/picture", key=item.key, small=small))
    if "text" in payload:
        text = str(payload["text"])
        return Preview(words=text if whole else short(text[: FEW * 4], FEW))
    if "features" in payload:
        return Preview(words=_numbers(payload, whole=whole))
    return Preview()


def _numbers(payload: Mapping[str, Any], *, whole: bool) -> str:
    values = list(payload["features"])
    names = payload.get("names") or [f"feature {number + 1}" for number in range(len(values))]
    shown = values if whole else values[:NUMBERS]
    pairs = [f"{name}: {value:.4g}" for name, value in zip(names, shown, strict=False)]
    return ("\n" if whole else "  ").join(pairs) + ("" if len(shown) == len(values) else "  …")
