"""Who works on rounds."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that works on rounds."""

    name: str
    started_at: datetime
    seen_at: datetime
    #: In words; None while it waits.
    doing: str | None
    #: Since it was last heard of, by the clock that wrote it.
    silent_seconds: float
