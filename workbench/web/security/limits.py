"""How often a wrong key may be tried: each failure doubles the wait of the address that it came from."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

#: So many mistakes cost nothing: fingers slip.
FREE = 5
LONGEST_SECONDS = 900.0
#: Failures of everybody together within a minute; beyond them the first mistake costs a wait already. Whoever
#: made none is never made to wait for the mistakes of others.
MOST_A_MINUTE = 100.0
#: Addresses that are remembered; the one that failed longest ago is forgotten first.
MOST_ADDRESSES = 10_000
#: Keys that worked and where: their owners do not wait for the mistakes of a neighbour.
MOST_KEYS = 1_000


@dataclass(slots=True)
class Failures:
    """What is known of an address."""

    count: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Limiter:
    """Counts failures in memory. Keys can not be guessed anyway: it keeps guessing cheap for us."""

    ticking: Callable[[], float] = time.monotonic
    _known: OrderedDict[str, Failures] = field(default_factory=OrderedDict)
    _good: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)
    _left: float = MOST_A_MINUTE
    _filled: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, address: str, mark: str = "") -> float:
        """How many seconds an address has to wait before it may try again.

        Args:
            mark: The digest of the key that is tried: one that worked from there before does not wait.
        """
        now = self.ticking()
        place = network(address)
        with self._lock:
            own = self._known.get(place)
            return 0.0 if own is None or (place, mark) in self._good else max(0.0, own.until - now)

    def failed(self, address: str, mark: str = "") -> None:
        """Count a wrong key."""
        now = self.ticking()
        key = network(address)
        with self._lock:
            self._good.pop((key, mark), None)
            self._refill(now)
            own = self._known.pop(key, None) or Failures()
            own.count += 1
            if self._left < 1:
                own.count = max(own.count, FREE)
            self._left = max(0.0, self._left - 1)
            over = own.count - FREE
            own.until = now + min(LONGEST_SECONDS, 2.0 ** min(over, 10)) if over >= 0 else 0.0
            self._known[key] = own
            while len(self._known) > MOST_ADDRESSES:
                self._known.popitem(last=False)

    def worked(self, address: str, mark: str = "") -> None:
        """Forget the mistakes of whoever had the right key, and know that key again."""
        now, place = self.ticking(), network(address)
        with self._lock:
            # Of one that came in past a wait the mistakes are not.
            if (own := self._known.get(place)) is not None and own.until <= now:
                del self._known[place]
            if mark:
                self._good[place, mark] = None
                self._good.move_to_end((place, mark))
            while len(self._good) > MOST_KEYS:
                self._good.popitem(last=False)

    def _refill(self, now: float) -> None:
        if self._filled is not None:
            self._left = min(MOST_A_MINUTE, self._left + (now - self._filled) * MOST_A_MINUTE / 60)
        self._filled = now


def network(address: str) -> str:
    """Whoever has one address of version 6 has 2⁶⁴ of them: they count as one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
