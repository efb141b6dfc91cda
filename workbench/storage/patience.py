"""Try again while the database is away: only for work that does the same when it is done twice."""

import time
from collections.abc import Callable
from typing import TypeVar

from workbench.domain.errors import DatabaseAway

#: A restart takes a server a few seconds, a deadlock no time at all.
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0)
#: No try begins later than this after the first failure: then a person, or the schedule, decides.
PATIENCE_SECONDS = 60.0
T = TypeVar("T")


def patiently(work: Callable[[], T]) -> T:
    """Do ``work``; again while the database is away, for about a minute.

    Whether a transaction whose commit was not answered was carried out, nobody can know: so this is only for
    work that may be done twice.

    Raises:
        DatabaseAway: It was away for longer.
    """
    began = time.monotonic()
    for pause in PAUSES:
        try:
            return work()
        except DatabaseAway:
            if time.monotonic() + pause > began + PATIENCE_SECONDS:
                raise
        time.sleep(pause)
    return work()
