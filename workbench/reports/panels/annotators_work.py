"""How much each annotator did, and how long it took: the rows of ``annotators``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from workbench.domain.annotators import WINSORISED
from workbench.domain.intervals import wilson
from workbench.reports.statistics.crowd import Bools, Floats, Ints
from workbench.reports.units import Count, Person, Seconds, Share, Time
from workbench.storage.facts.answers import Given
from workbench.storage.facts.facts import Facts
from workbench.storage.facts.labels import Standing

#: Who takes longer over one answer was away for the rest of it.
IDLE_SECONDS = 300.0
_DAY = 86_400_000_000
_START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person. ``agreed`` counts answers that equal the label in force; seconds are of people."""

    annotator: Person
    annotations: Count
    skipped: Count
    skip_rate: Share | None
    skip_low: Share | None
    skip_high: Share | None
    invalid: Count
    deleted: Count
    agreed: Count
    seconds: Seconds
    median_seconds: Seconds | None
    mean_seconds: Seconds | None
    active_seconds: Seconds
    answers_per_hour: float | None
    first_seen: Time
    last_seen: Time
    days: Count


def rows(facts: Facts) -> list[Row]:
    """One row a person, by name."""
    given = facts.answers.given
    agreed_N = _agreed(given, facts.labels.standing)
    found = [
        _row(facts.names(given.people[person]), given, agreed_N, places)
        for person, places in each_person(given.people_N)
    ]
    # By what people are called here: the order of real names would give made-up ones away.
    return sorted(found, key=lambda row: row.annotator)


def each_person(people_N: Ints) -> Iterator[tuple[int, Ints]]:
    """Everybody who occurs, with the places where they do, in their order."""
    order = np.argsort(people_N, kind="stable")
    found, begins = np.unique(people_N[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, begins[1:]), strict=False)


def moment(microseconds: int) -> datetime:
    """A time from how long after 1970 it was."""
    return _START + timedelta(microseconds=microseconds)


def worked_seconds(given: Given, places: Ints) -> Floats:
    """The seconds of each answer that is there, skips not counted, shortest first."""
    kept = places[~given.deleted_N[places] & ~given.skipped_N[places]]
    seconds: Floats = np.sort(given.seconds_N[kept])
    return seconds[: len(seconds) - int(np.isnan(seconds).sum())]


def _row(name: str, given: Given, agreed_N: Bools, places: Ints) -> Row:
    present = places[~given.deleted_N[places]]
    skipped = int(given.skipped_N[present].sum())
    low, high = wilson(skipped, len(present)) if len(present) else (None, None)
    worked = worked_seconds(given, places)
    active = float(np.minimum(worked, IDLE_SECONDS).sum())
    moments = given.moments_N[places]
    return Row(
        annotator=name,
        annotations=len(present),
        skipped=skipped,
        skip_rate=skipped / len(present) if len(present) else None,
        skip_low=low,
        skip_high=high,
        invalid=int(given.invalid_N[present].sum()),
        deleted=len(places) - len(present),
        agreed=int(agreed_N[present].sum()),
        seconds=round(float(np.nansum(np.sort(given.seconds_N[places]))), 2),
        median_seconds=float(np.median(worked)) if len(worked) else None,
        mean_seconds=_winsorised(worked),
        active_seconds=round(active, 2),
        answers_per_hour=len(worked) / active * 3600 if active else None,
        first_seen=moment(int(moments.min())),
        last_seen=moment(int(moments.max())),
        days=len(np.unique(moments // _DAY)),
    )


def _winsorised(ordered: Floats) -> float | None:
    """The mean, with the shortest and longest tenth as long as the next ones."""
    if len(ordered) == 0:
        return None
    cut = int(len(ordered) * WINSORISED)
    return float(np.clip(ordered, ordered[cut], ordered[len(ordered) - 1 - cut]).mean())


def _agreed(given: Given, standing: Standing) -> Bools:
    """Which annotations say what the label in force of their item is."""
    if len(standing.items_L) == 0:
        return np.zeros(len(given.items_N), bool)
    places = np.minimum(np.searchsorted(standing.items_L, given.items_N), len(standing.items_L) - 1)
    codes = {value: code for code, value in enumerate(standing.values) if value}
    said = np.array([codes.get(label, -1) for label in given.labels], np.int64)
    found: Bools = (
        (standing.items_L[places] == given.items_N)
        & (standing.values_L[places] == said[given.labels_N])
        & given.labeled_N
    )
    return found
