"""Moments of the past as people type them."""

from datetime import UTC, date, datetime, time

import typer

HINT = "--as-of"
LAST = time.max.replace(tzinfo=UTC)


def read_moment(text: str, *, now: datetime, began: datetime) -> datetime:
    """Read a day, which means its end in UTC, or a time, in UTC if it names no other zone.

    Raises:
        typer.BadParameter: It is neither, lies in the future, or before anything was known.
    """
    moment = _parse(text.strip())
    if moment > now:
        raise typer.BadParameter(_future(text, moment, now), param_hint=HINT)
    if moment < began:
        raise typer.BadParameter(
            f"{text} lies before the project began, at {began:%Y-%m-%d %H:%M:%S} UTC: nothing was known. "
            "Name a later moment.",
            param_hint=HINT,
        )
    return moment


def _parse(text: str) -> datetime:
    try:
        if "W" in text:
            raise ValueError("a week is many days")
        if len(text) <= len("2026-01-31"):
            return datetime.combine(date.fromisoformat(text), LAST)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"'{text}' is no date and no time. Type it as 2026-11-21, as 2026-11-21T17:30, "
            "or as the report's `at` has it.",
            param_hint=HINT,
        ) from None


def _future(text: str, moment: datetime, now: datetime) -> str:
    if moment.date() == now.astimezone(UTC).date() and moment.timetz() == LAST:
        return (
            f"{text} is not over yet, and a date means its end in UTC. "
            f"Leave {HINT} out for a report of now, or name a time."
        )
    return f"{text} lies in the future: it is {now:%Y-%m-%d %H:%M} UTC. Leave {HINT} out for a report of now."
