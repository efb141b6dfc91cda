"""Everybody's votes on a project's items, as statistics want them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from workbench.domain.annotators import certain, votes
from workbench.domain.records import Annotation
from workbench.reports.statistics.crowd import Ints, JudgedVotes, Votes, judged
from workbench.storage.facts.answers import Given
from workbench.storage.facts.facts import Facts

_START = datetime(1970, 1, 1, tzinfo=UTC)


class Opinions(NamedTuple):
    """Where votes stand in ``Given``; and those on items that somebody answered several times, one by one."""

    places: Ints
    newest: list[Annotation]


class Asked(NamedTuple):
    """The task and the answer, by its place among the labels of ``Given``, of each vote."""

    tasks_V: Ints
    labels_V: Ints


class Voted(NamedTuple):
    """Everybody's votes, and how each is judged by what is known without it."""

    opinions: Opinions
    votes: Votes
    judged: JudgedVotes


def voted(facts: Facts) -> Voted:
    """Read what everybody said; by ``facts.once`` for all who ask."""
    opinions = opinions_of(facts)
    votes = votes_of(facts, opinions)
    return Voted(opinions, votes, judged(votes))


def opinions_of(facts: Facts) -> Opinions:
    """Find what counts as an opinion: of each person the newest valid answer to an item."""
    given = facts.answers.given
    places = np.flatnonzero(given.opinions_N)
    again = _repeated(given, places)
    found = [vote for _, cast in sorted(votes(_of(facts, again)).items()) for vote in cast if vote.label]
    return Opinions(places[~np.isin(given.items_N[places], again)], found)


def votes_of(facts: Facts, opinions: Opinions) -> Votes:
    """Put opinions beside the labels that need none: known ones, and rulings."""
    given, gold = facts.answers.given, facts.answers.gold()
    places, newest = opinions
    people = {name: place for place, name in enumerate(given.people)}
    sure = {**_rulings(facts, given), **gold}
    labels = (*given.labels, *sorted(set(sure.values()) - set(given.labels)))
    codes = {label: place for place, label in enumerate(labels)}
    rows = [
        (vote.item_id, people[vote.annotator], codes[str(vote.label)], _microseconds(vote.created_at))
        for vote in newest
    ]
    more = np.array(rows, np.int64).reshape(-1, 4)
    items_V = np.concatenate([given.items_N[places], more[:, 0]])
    items_U, units_V = np.unique(items_V, return_inverse=True)
    return Votes(
        people=given.people,
        labels=labels,
        items_U=items_U,
        units_V=units_V,
        people_V=np.concatenate([given.people_N[places], more[:, 1]]),
        labels_V=np.concatenate([given.labels_N[places], more[:, 2]]),
        moments_V=np.concatenate([given.moments_N[places], more[:, 3]]),
        sure_U=_sure(items_U, sure, codes),
        gold_U=np.isin(items_U, np.fromiter(gold, np.int64, len(gold))),
    )


def asked_of(facts: Facts, opinions: Opinions) -> Asked:
    """Read to which tasks opinions were given."""
    given = facts.answers.given
    places, newest = opinions
    codes = {label: place for place, label in enumerate(given.labels)}
    tasks = [given.tasks_N[places], np.array([vote.task_id for vote in newest], np.int64)]
    labels = [given.labels_N[places], np.array([codes[str(vote.label)] for vote in newest], np.int64)]
    return Asked(np.concatenate(tasks), np.concatenate(labels))


def _microseconds(moment: datetime) -> int:
    """A time as how long after 1970 it was."""
    return (moment - _START) // timedelta(microseconds=1)


def _repeated(given: Given, places: Ints) -> Ints:
    """Items that somebody gave several opinions on: the newest of each person counts."""
    pairs = given.items_N[places] * max(1, len(given.people)) + given.people_N[places]
    found, counts = np.unique(pairs, return_counts=True)
    again: Ints = np.unique(found[counts > 1] // max(1, len(given.people)))
    return again


def _rulings(facts: Facts, given: Given) -> dict[int, str]:
    """What somebody ruled, by item."""
    return certain(_of(facts, given.items_N[given.rulings_N & ~given.deleted_N]), {})


def _of(facts: Facts, items: Ints) -> list[Annotation]:
    found = facts.answers.of_items(np.unique(items).tolist())
    return [annotation for versions in found.values() for annotation in versions]


def _sure(items_U: Ints, sure: Mapping[int, str], codes: Mapping[str, int]) -> Ints:
    """The label known for certain of each item; -1 where there is none."""
    found_U = np.full(len(items_U), -1, np.int64)
    for item_id, label in sure.items():
        place = int(np.searchsorted(items_U, item_id))
        if place < len(items_U) and items_U[place] == item_id:
            found_U[place] = codes[label]
    return found_U
