"""What a number in a report is: every face writes it accordingly."""

import typing
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeAlias


class Unit(StrEnum):
    """How a value is meant."""

    TEXT = "text"
    #: A person's name: hidden from those who may not see it.
    PERSON = "person"
    #: The key of an item, linked to its page where there are pages.
    ITEM = "item"
    #: The number of a round, linked likewise.
    ROUND = "round"
    TIME = "time"
    COUNT = "count"
    #: From 0 to 1, shown in percent.
    SHARE = "share"
    #: A difference of shares, shown in percentage points with its sign.
    POINTS = "points"
    #: In the currency of the project's terms.
    MONEY = "money"
    SECONDS = "seconds"
    NATS = "nats"
    #: A factor, as in 1.8 times.
    FACTOR = "factor"
    NUMBER = "number"
    YES_NO = "yes or no"


Person: TypeAlias = Annotated[str, Unit.PERSON]
ItemKey: TypeAlias = Annotated[str, Unit.ITEM]
RoundNumber: TypeAlias = Annotated[int, Unit.ROUND]
Time: TypeAlias = Annotated[datetime, Unit.TIME]
Count: TypeAlias = Annotated[int, Unit.COUNT]
Share: TypeAlias = Annotated[float, Unit.SHARE]
Points: TypeAlias = Annotated[float, Unit.POINTS]
Money: TypeAlias = Annotated[float, Unit.MONEY]
Seconds: TypeAlias = Annotated[float, Unit.SECONDS]
Nats: TypeAlias = Annotated[float, Unit.NATS]
Factor: TypeAlias = Annotated[float, Unit.FACTOR]


class Column(NamedTuple):
    """A column of a table: its key in JSON and CSV, and how its values are meant."""

    name: str
    unit: Unit
    #: Whether a value may be missing.
    optional: bool


PLAIN = {str: Unit.TEXT, int: Unit.COUNT, float: Unit.NUMBER, bool: Unit.YES_NO, datetime: Unit.TIME}


def columns_of(row: type) -> tuple[Column, ...]:
    """The columns of a row, from its annotations."""
    hints = typing.get_type_hints(row, include_extras=True)
    return tuple(_column(field.name, hints[field.name]) for field in fields(row))


def _column(name: str, hint: Any) -> Column:
    parts = typing.get_args(hint) if not hasattr(hint, "__metadata__") else (hint,)
    optional = type(None) in parts
    meant = next((part for part in parts if part is not type(None)), hint)
    if hasattr(meant, "__metadata__"):
        return Column(name, meant.__metadata__[0], optional)
    return Column(name, PLAIN.get(meant, Unit.TEXT), optional)
