"""What a panel is: a small class that reads facts and gives findings, tables and charts.

It knows neither terminal nor web page: all faces show the same reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from workbench.reports.chart import Chart
from workbench.reports.units import Column, columns_of

if TYPE_CHECKING:
    from workbench.storage.facts.facts import Facts


class Tone(StrEnum):
    """How a finding is meant; never by colour alone."""

    GOOD = "good"
    NEUTRAL = "neutral"
    WARNING = "warning"
    BAD = "bad"
    #: The data does not show it, one way or the other.
    UNKNOWN = "not shown"


class Finding(NamedTuple):
    """A sentence that answers a question of the reader, with its numbers and intervals."""

    words: str
    tone: Tone = Tone.NEUTRAL


class View(NamedTuple):
    """What a reader has chosen, where a panel gives a choice."""

    #: A round's number; the newest if None.
    round: int | None = None
    #: Names of projects to compare with.
    compare: tuple[str, ...] = ()
    #: Labels that might be bought next: the forecast says what they would bring.
    labels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Typed rows under a name. ``row`` is their frozen dataclass, known also where there are no rows."""

    name: str
    title: str
    row: type
    rows: Sequence[Any]
    #: In words, where there are none.
    empty: str = "Nothing here yet."

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        return columns_of(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a panel says of a project at a moment.

    Attributes:
        tables: The first one is named as the panel; the others begin with its name.
    """

    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


class Panel(Protocol):
    """One question of an analyst, answered from the database."""

    @property
    def name(self) -> str:
        """As in JSON, CSV and addresses."""

    @property
    def title(self) -> str:
        """A few words."""

    @property
    def sentence(self) -> str:
        """What it answers, in one sentence."""

    def read(self, facts: "Facts", view: View) -> Reading:
        """Read the facts and say what they show."""
