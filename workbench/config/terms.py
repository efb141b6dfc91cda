"""Read what people want of the budget's terms, within the bounds that ``workbench.toml`` has."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from pydantic import ValidationError

from workbench.config.model import BudgetSection, ReportSection
from workbench.config.schedule import ScheduleSection
from workbench.config.section import Section
from workbench.domain.errors import BudgetProblem
from workbench.domain.terms import CHANGEABLE, OPEN_ENDED

#: How people write that there is no limit.
NO_LIMIT = "none"


class Place(NamedTuple):
    """Where the configuration has a term, and how it is written."""

    section: type[Section]
    key: str
    expected: str


PLACES = {
    "max_labels": Place(BudgetSection, "max_labels", "a whole number, 1 or more, as in 1500"),
    "max_cost": Place(BudgetSection, "max_cost", "a number above 0, as in 250 or 99.50"),
    "max_hours": Place(BudgetSection, "max_hours", "a number above 0, as in 40"),
    "target": Place(ReportSection, "target", "a share between 0 and 1, as in 0.92"),
    "floor": Place(ReportSection, "class_floor", "a share between 0 and 1, as in 0.8"),
    "deadline": Place(ScheduleSection, "deadline", "a date, as in 2026-12-31"),
}


def read_terms(texts: Mapping[str, str]) -> dict[str, Any]:
    """Turn texts into values; ``none`` becomes None.

    Raises:
        BudgetProblem: A key that people can not change, or a value that can not be; all faults together.
    """
    values, faults = {}, {}
    for key, text in texts.items():
        try:
            values[key] = _value(key, text.strip())
        except ValueError as fault:
            faults[key] = str(fault)
    if faults:
        raise BudgetProblem(faults)
    return values


def check_keys(keys: Iterable[str]) -> None:
    """Refuse keys that people can not change.

    Raises:
        BudgetProblem: One of them is none.
    """
    faults = {key: _unknown() for key in keys if key not in PLACES}
    if faults:
        raise BudgetProblem(faults)


def _value(key: str, text: str) -> Any:
    if key not in PLACES:
        raise ValueError(_unknown())
    if text.lower() == NO_LIMIT and key in OPEN_ENDED:
        return None
    place = PLACES[key]
    ending = f", or {NO_LIMIT}" if key in OPEN_ENDED else ""
    try:
        parsed = _parsed(key, text)
        return getattr(place.section.model_validate({place.key: parsed}), place.key)
    except (ValidationError, ValueError, OverflowError) as error:
        raise ValueError(f"found '{text[:40]}', expected {place.expected}{ending}") from error


def _parsed(key: str, text: str) -> Any:
    if key == "deadline":
        return date.fromisoformat(text)
    return int(text) if key == "max_labels" else float(text)


def _unknown() -> str:
    return f"is nothing that people change; they change {', '.join(CHANGEABLE)}"
