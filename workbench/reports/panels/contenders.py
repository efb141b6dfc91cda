"""The projects that are compared: what each is, its curve, and whether it is measured on the same items."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from workbench.domain.arms import Arm
from workbench.domain.records import BudgetPoint, Project
from workbench.domain.seeds import derive_seed
from workbench.domain.terms import Terms
from workbench.reports.outlook import accuracies
from workbench.reports.statistics.bootstrap import DRAWS, item_weights, resampled
from workbench.reports.statistics.curves import Curve, curve_of
from workbench.storage.facts.facts import Facts

#: More are too many for one page.
MOST = 12
OTHER_CLASSES = "no: other classes"
OTHER_ITEMS = "not item by item: other held-out items"
#: What does not make another strategy of a configuration.
ASIDE = ("project", "storage", "schedule", "report", "budget", "labeler")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A project among those compared."""

    facts: Facts

    @property
    def project(self) -> Project:
        """The project."""
        return self.facts.project

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration of its newest round."""
        return self.facts.others.settings()

    @cached_property
    def terms(self) -> Terms:
        """The terms of its budget."""
        return self.facts.terms.now()

    @cached_property
    def points(self) -> tuple[BudgetPoint, ...]:
        """What was spent by each round, with the accuracy that it had bought."""
        return accuracies(self.facts)

    @property
    def strategy(self) -> str:
        """How its batches are chosen, in a few words."""
        settings = self.settings
        posterior = settings.get("posterior", {}).get("name")
        acquisition = settings.get("acquisition", {})
        words = (posterior, acquisition.get("function"), acquisition.get("selector"))
        return ", ".join(str(word) for word in words if word) or "–"

    @property
    def key(self) -> str:
        """The same for projects that differ in name and seed alone."""
        kept = {name: value for name, value in self.settings.items() if name not in ASIDE}
        return json.dumps([self.project.kind, self.project.classes, kept], sort_keys=True, default=str)

    @cached_property
    def items(self) -> tuple[str, ...]:
        """The held-out items by what they hold, in the order of the predictions; empty without any."""
        newest = self.facts.predictions.newest(Arm.ACTIVE)
        return tuple(self.facts.others.contents(newest[1].items_N.tolist())) if newest else ()

    @cached_property
    def curve(self) -> Curve | None:
        """Its learning curve with draws of held-out items: the same draws for all that share those items."""
        items = self.items
        hits = [one for one in self.facts.predictions.hits() if one.arm is Arm.ACTIVE]
        newest = hits[-1].items_sha256 if hits else ""
        hits = [one for one in hits if one.items_sha256 == newest]
        if not items or not hits:
            return self._bare_curve()
        order_N = np.argsort(np.array(items), kind="stable")
        right_N_R = np.stack([one.right_N for one in hits], axis=1)[order_N]
        labels_R = np.array([one.labels for one in hits])
        weights = item_weights(len(items), DRAWS, seed=derive_seed(0, "comparison", *sorted(items)))
        return _some(curve_of(labels_R, right_N_R.mean(0), resampled(right_N_R, weights)))

    def _bare_curve(self) -> Curve | None:
        """From budget points alone: no draws, so no interval."""
        known = [point for point in self.points if point.value is not None]
        if not known:
            return None
        values_R = np.array([point.value for point in known])
        labels_R = np.array([point.labels for point in known])
        return _some(curve_of(labels_R, values_R, np.empty((0, len(known)))))

    def against(self, first: "Contender") -> str:
        """Whether it may be compared with another, in words."""
        if self is first:
            return "the first"
        if (self.project.kind, set(self.project.classes)) != (first.project.kind, set(first.project.classes)):
            return OTHER_CLASSES
        if self.items and sorted(self.items) == sorted(first.items):
            return "item by item"
        return OTHER_ITEMS


def _some(curve: Curve) -> Curve | None:
    """The curve; None where no model has learnt from any label."""
    return curve if len(curve.labels_R) else None


def contenders(facts: Facts, wanted: tuple[str, ...]) -> list[Contender]:
    """The project itself, then those that are wanted, else all others up to a number."""
    others = [project for project in facts.others.projects() if project.id != facts.project.id]
    if wanted:
        by_name = {project.name: project for project in others}
        others = [by_name[name] for name in wanted if name in by_name]
    return [Contender(facts=facts), *(Contender(facts=facts.of(project)) for project in others[: MOST - 1])]


class Group(NamedTuple):
    """Projects that differ in their seed alone, and their learning curves."""

    name: str
    members: tuple[Contender, ...]
    curves: tuple[Curve, ...]


def groups_of(compared: Sequence[Contender], curves: Mapping[int, Curve | None]) -> list[Group]:
    """Strategies with at least two seeds that have curves, in the order of their first project."""
    found: dict[str, list[Contender]] = defaultdict(list)
    for one in compared:
        if curves.get(one.project.id) is not None:
            found[one.key].append(one)
    several = [members for members in found.values() if len({one.project.seed for one in members}) > 1]
    names = [members[0].strategy for members in several]
    return [
        Group(
            name if names.count(name) == 1 else f"{name} (as {members[0].project.name})",
            tuple(members),
            tuple(curve for one in members if (curve := curves[one.project.id]) is not None),
        )
        for name, members in zip(names, several, strict=True)
    ]
