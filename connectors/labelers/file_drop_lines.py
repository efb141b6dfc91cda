"""The lines of a file drop: tasks on their way out, answers on their way in. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

#: An answer is a few hundred characters; a longer line is no answer.
LONGEST: Final = 1_000_000
KNOWN: Final = frozenset(
    {
        "task_id",
        "item_key",
        "round",
        "label",
        "skipped",
        "deleted",
        "annotator",
        "seconds",
        "answer_id",
        "at",
        "result",
    }
)


class Refused(Exception):
    """A line that is no answer, with the reason in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What somebody answered.

    Attributes:
        label: What was chosen: a text, or whatever else stood there.
        result: The answer in Label Studio's own form, for tools that write that.
        at: When it was given, if that was said.
    """

    task_id: str | None
    item_key: str | None
    round_name: str | None
    answer_id: str | None
    annotator: str | None
    label: Any
    result: Any
    skipped: bool
    deleted: bool
    seconds: float | None
    at: datetime | None


def task_line(row: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """Write a task for whoever answers it."""
    return {
        "task_id": str(row["id"]),
        "item_key": row["item_key"],
        "round": row["round_key"],
        "content": row["content"],
        "note": row["note"],
        "predicted": row["label"] if project["show_predictions"] else None,
        "place": row["score"],
        "model_version": row["model_version"],
        "classes": json.loads(project["classes"]),
        "task_type": project["task_type"],
        "overlap": project["overlap"],
        "project": project["title"],
        "project_id": str(project["id"]),
    }


def read_line(raw: bytes) -> Line:
    """Read one line.

    Raises:
        Refused: It is no answer.
    """
    found = _document(raw)
    unknown = sorted(found.keys() - KNOWN)
    if unknown:
        raise Refused(f"unknown key '{unknown[0]}'; known are {', '.join(sorted(KNOWN))}")
    line = Line(
        task_id=_name(found, "task_id"),
        item_key=_text(found, "item_key"),
        round_name=_name(found, "round"),
        answer_id=_name(found, "answer_id"),
        annotator=_text(found, "annotator"),
        label=found.get("label"),
        result=found.get("result"),
        skipped=_flag(found, "skipped"),
        deleted=_flag(found, "deleted"),
        seconds=_seconds(found.get("seconds")),
        at=_moment(found.get("at")),
    )
    _check(line, found)
    return line


def _check(line: Line, found: Mapping[str, Any]) -> None:
    if line.task_id is None and line.item_key is None and line.answer_id is None:
        raise Refused("no task_id, and no item_key with its round")
    if line.annotator is None and line.answer_id is None:
        raise Refused("no annotator")
    said = ("label" in found) + ("result" in found) + line.skipped + line.deleted
    if said != 1:
        raise Refused('expected one of "label", "skipped": true, "deleted": true')


def _document(raw: bytes) -> dict[str, Any]:
    if len(raw) > LONGEST:
        raise Refused(f"longer than {LONGEST} bytes")
    try:
        found = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8; save the file in that encoding") from error
    except (ValueError, RecursionError) as error:
        raise Refused("not one JSON object") from error
    if not isinstance(found, dict):
        raise Refused("not one JSON object")
    return found


def _text(found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or "\x00" in value or not _encodable(value):
        raise Refused(f"{key} is no text")
    return value


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(found: Mapping[str, Any], key: str) -> str | None:
    value = found.get(key)
    number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if number else _text(found, key)


def _flag(found: Mapping[str, Any], key: str) -> bool:
    value = found.get(key, False)
    if not isinstance(value, bool):
        raise Refused(f"{key} is neither true nor false")
    return value


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise Refused("seconds is no number from 0 on")
    return float(value)


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise Refused("at is no time as in 2026-03-01T09:00:00+01:00") from error
    if found.tzinfo is None:
        raise Refused("at has no zone; write it as in 2026-03-01T09:00:00+01:00")
    return found.astimezone(UTC)
