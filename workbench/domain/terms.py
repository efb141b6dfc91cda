"""The terms of a budget: what labels cost, how many may be bought, and what for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self

from workbench.domain.budget import Caps

#: What people may change while the project runs. Prices are facts of a contract and hold for what was bought
#: already, so they are the file's alone.
CHANGEABLE = ("max_labels", "max_cost", "max_hours", "target", "floor", "deadline")
#: Where None means that there is no limit, or no aim.
OPEN_ENDED = frozenset(CHANGEABLE) - {"floor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Prices, caps and aims of a project; None where there is none.

    Attributes:
        target: The accuracy that is wanted, a share.
        floor: Below this recall a class counts as lacking labels, a share.
        changed: Which of them a person has changed since the configuration was written.
    """

    currency: str = "USD"
    per_annotation: float = 0.0
    per_hour: float = 0.0
    max_labels: int | None = None
    max_cost: float | None = None
    max_hours: float | None = None
    target: float | None = None
    floor: float | None = None
    deadline: date | None = None
    changed: frozenset[str] = frozenset()

    @property
    def caps(self) -> Caps:
        """The hard limits."""
        return Caps(labels=self.max_labels, cost=self.max_cost, hours=self.max_hours)

    @classmethod
    def of(cls, content: Mapping[str, Any], *, changed: frozenset[str] = frozenset()) -> Self:
        """Read what ``content`` wrote; keys of other versions are passed over."""
        known = {f.name for f in fields(cls)} - {"changed"}
        values = {name: value for name, value in content.items() if name in known}
        if isinstance(values.get("deadline"), str):
            values["deadline"] = date.fromisoformat(values["deadline"])
        return cls(**values, changed=changed)

    def content(self) -> dict[str, Any]:
        """As JSON keeps it."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "changed"}
        return {**found, "deadline": self.deadline.isoformat() if self.deadline else None}
