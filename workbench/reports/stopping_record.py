"""What stopping rules said when a round was closed, as it was kept then."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

#: The name of the diagnostic.
STOPPING = "stopping"


class Says(StrEnum):
    """What a rule says."""

    STOP = "stop"
    GO_ON = "go on"
    UNKNOWN = "not enough evidence"


class Judged(NamedTuple):
    """A rule's verdict.

    Attributes:
        stated: The rule in a sentence.
        reason: What it found, in words.
    """

    rule: str
    stated: str
    value: float | None
    threshold: float | None
    says: Says
    reason: str


def judged(content: Mapping[str, Any]) -> list[Judged]:
    """Read what was kept."""
    return [Judged(**{**found, "says": Says(found["says"])}) for found in content.get("rules", ())]


def kept(found: Judged) -> dict[str, Any]:
    """Write what ``judged`` reads."""
    return {**found._asdict(), "says": str(found.says)}
