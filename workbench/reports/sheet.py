"""A table as people read it: a value and its interval in one column, all in words, no empty columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from workbench.reports.panel import Table
from workbench.reports.units import Column, Unit
from workbench.reports.words import cell, cell_interval, heading

#: A text, a word of more letters needs a wide column.
LONG, UNBROKEN = 40, 22
WORDS = (Unit.TEXT, Unit.PERSON, Unit.ITEM)
#: A key is cut in the middle after so many letters; a text later: no sentence of ours is that long.
LONGEST, LONGEST_TEXT = 120, 320
#: For programs: people see it in the words.
UNSEEN = frozenset({"tone"})


class Head(NamedTuple):
    """The head of a column; ``unit`` says how its cells are meant."""

    name: str
    words: str
    unit: Unit

    @property
    def numeric(self) -> bool:
        """Whether its cells stand to the right."""
        return self.unit not in (*WORDS, Unit.TIME, Unit.YES_NO)

    @property
    def most(self) -> int:
        """How many letters of a cell are shown."""
        return LONGEST_TEXT if self.unit is Unit.TEXT else LONGEST


class Cell(NamedTuple):
    """What is shown, and the value behind it: for links and for sorting."""

    words: str
    value: Any


class Sheet(NamedTuple):
    """A table ready to be shown.

    Attributes:
        total: How many rows there are; some may be left out.
        newest: Whether the rows that are shown are the last ones.
    """

    name: str
    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: int
    newest: bool
    empty: str

    @property
    def is_list(self) -> bool:
        """Whether it is one row of many values: better read as a list."""
        return self.total == 1 and len(self.heads) > 3

    @property
    def shapes(self) -> dict[str, str]:
        """Columns that need room: ``long`` for sentences, ``unbroken`` for words that no line holds."""
        found = {}
        for place, head in enumerate(self.heads):
            texts = [row[place].words for row in self.rows]
            if any(len(word) > UNBROKEN for text in texts for word in text.split(" ")):
                found[head.name] = "unbroken"
            elif any(len(text) > LONG for text in texts):
                found[head.name] = "long"
        return found

    @property
    def left_out(self) -> str:
        """In words, which rows are not shown; empty if all are."""
        shown = len(self.rows)
        if shown == self.total:
            return ""
        which = "newest" if self.newest else "first"
        return f"The {which} {cell(shown, Unit.COUNT)} of {cell(self.total, Unit.COUNT)} rows."


class _Part(NamedTuple):
    """One or three columns that are shown as one."""

    columns: tuple[Column, ...]


def sheet_of(table: Table, currency: str = "", most: int | None = None) -> Sheet:
    """Put a table into words; of many rows those that matter most: the newest rounds, else the first rows."""
    newest = bool(table.columns) and table.columns[0].unit is Unit.ROUND
    rows = _some(table.rows, most, newest=newest)
    seen = [column for column in table.columns if column.name not in UNSEEN]
    parts = [part for part in _parts(seen) if not rows or _any(rows, part)]
    most_items = max((n for row in rows if isinstance(n := getattr(row, "n", None), int)), default=None)
    return Sheet(
        name=table.name,
        title=table.title,
        heads=_heads(parts, currency),
        rows=tuple(tuple(_cell(row, part, most_items) for part in parts) for row in rows),
        total=len(table.rows),
        newest=newest,
        empty=table.empty,
    )


def _some(rows: Sequence[Any], most: int | None, *, newest: bool) -> Sequence[Any]:
    if most is None or len(rows) <= most:
        return rows
    return rows[len(rows) - most :] if newest else rows[:most]


def _parts(columns: Sequence[Column]) -> list[_Part]:
    """A value that is followed by ``…low`` and ``…high`` of its unit takes them along."""
    parts, at = [], 0
    while at < len(columns):
        size = 3 if _is_interval(columns[at : at + 3]) else 1
        parts.append(_Part(tuple(columns[at : at + size])))
        at += size
    return parts


def _is_interval(columns: Sequence[Column]) -> bool:
    if len(columns) < 3:
        return False
    value, low, high = columns
    ends = low.name.endswith("low") and high.name == f"{low.name.removesuffix('low')}high"
    return ends and value.unit is low.unit is high.unit


def _any(rows: Sequence[Any], part: _Part) -> bool:
    return any(getattr(row, column.name) is not None for row in rows for column in part.columns)


def _heads(parts: Sequence[_Part], currency: str) -> tuple[Head, ...]:
    """No two columns are called the same: where items are counted already, ``n`` are those measured on."""
    firsts = [part.columns[0] for part in parts]
    heads = [Head(first.name, heading(first.name, first.unit, currency), first.unit) for first in firsts]
    known = {head.words for head in heads if head.name != "n"}
    return tuple(
        head._replace(words="items measured on") if head.name == "n" and head.words in known else head
        for head in heads
    )


def _cell(row: Any, part: _Part, n: int | None) -> Cell:
    """``n`` is the largest number of items in the table: a column has the same digits throughout."""
    first, values = part.columns[0], [getattr(row, column.name) for column in part.columns]
    if len(values) == 3:
        return Cell(cell_interval(values[0], values[1], values[2], first.unit, n=n), values[0])
    return Cell(cell(values[0], first.unit, n=n), values[0])
