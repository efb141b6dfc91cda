"""Which class or source lacks labels: projects whose answer is known."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.records import NewItem, Split, TaskKind
from workbench.domain.terms import Terms
from workbench.reports.chart import Bars, Dots
from workbench.reports.panel import Reading, Tone, View
from workbench.reports.panels.coverage import Coverage
from workbench.reports.panels.coverage_words import standing
from workbench.reports.statistics.classes import Measured
from workbench.reports.statistics.regions import regions
from workbench.storage.maps import PoolMap, pack_map
from workbench.storage.store import Store

SMALL = MadeUp(foreseen=0, rounds=3, batch=30, pool=500, test_items=300)


def _read(store: Store, what: MadeUp, days: float = 400) -> Reading:
    what.write(store)
    return _again(store, what, days)


def _again(store: Store, what: MadeUp, days: float = 400) -> Reading:
    with store.read() as tx:
        project = tx.projects.get(what.name)
        assert project is not None
        return Coverage().read(tx.facts(project, START + timedelta(days=days)), View())


def test_a_class_that_is_found_badly_is_named_with_its_recall_and_its_labels(store: Store) -> None:
    reading = _read(store, replace(SMALL, rare=("7",), test_items=1500))
    first = reading.findings[0]
    assert first.tone is Tone.BAD
    worst = reading.tables[0].rows[0]
    assert worst.label == "7"
    assert worst.below_floor == "yes"
    assert worst.recall_high < 0.8
    assert "'7'" in first.words
    assert "below the floor of 80.0 %" in first.words


def test_rows_are_the_confusion_of_the_newest_predictions(store: Store) -> None:
    reading = _read(store, SMALL)
    with store.read() as tx:
        project = tx.projects.get(SMALL.name)
        assert project is not None
        newest = tx.facts(project).predictions.newest()
        labels = tx.facts(project).coverage.by_class()
    assert newest is not None
    target, predicted = newest[1].target_N, newest[1].predicted_N
    for row in reading.tables[0].rows:
        number = project.classes.index(row.label)
        there = target == number
        assert row.n == there.sum()
        assert row.recall == pytest.approx((predicted[there] == number).mean())
        assert row.precision == pytest.approx((target[predicted == number] == number).mean())
        assert row.labels == labels[row.label]
        assert row.recall_low <= row.recall <= row.recall_high
        assert row.f1_low <= row.f1 <= row.f1_high
    assert sum(row.share for row in reading.tables[0].rows) == pytest.approx(1)
    recalls = [row.recall for row in reading.tables[0].rows]
    assert recalls == sorted(recalls)


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [(0.5, 0.6, 0.79, "yes"), (0.5, 0.7, 0.81, "perhaps"), (0.7, 0.85, 0.9, "no"), (0.82, 0.9, 0.95, "no")],
)
def test_a_class_is_surely_below_the_floor_only_where_its_whole_interval_is(
    low: float, value: float, high: float, expected: str
) -> None:
    assert standing(Measured(value=value, low=low, high=high), 0.8) == expected
    assert standing(None, 0.8) == standing(Measured(value=value, low=low, high=high), None) == "unknown"


@pytest.mark.parametrize("n", [2, 50])
def test_two_classes_or_fifty_are_all_there_and_drawn(store: Store, n: int) -> None:
    names = tuple(f"class {i:02d}" for i in range(n))
    reading = _read(store, replace(SMALL, classes=names, test_items=1000, batch=100))
    assert Counter(row.label for row in reading.tables[0].rows) == Counter(names)
    recall = next(chart for chart in reading.charts if chart.name == "coverage_recall")
    assert recall.across
    (bars,) = recall.marks
    assert isinstance(bars, Bars)
    assert len(bars.labels) == n
    assert [guide.y for guide in recall.guides] == [0.8]


def test_a_class_that_is_never_predicted_has_no_precision_and_no_recall_to_show_for_it(store: Store) -> None:
    from workbench.domain.arms import Arm
    from workbench.storage.predictions import Predictions

    SMALL.write(store)
    with store.read() as tx:
        project = tx.projects.get(SMALL.name)
        assert project is not None
        newest = tx.facts(project).predictions.newest()
        last = tx.facts(project).rounds.all()[-1]
    assert newest is not None
    found = {name: getattr(newest[1], name) for name in Predictions.__slots__}
    found["predicted_N"] = np.where(found["predicted_N"] == 3, 4, found["predicted_N"])
    with store.begin() as tx:
        again = tx.rounds.plan(project.id, batch_size=1, seed=0, config={})
        assert again.number == last.number + 1
        tx.evidence.keep_predictions(again.id, Arm.ACTIVE, 90, Predictions(**found))
    with store.read() as tx:
        reading = Coverage().read(tx.facts(project), View())
    worst = reading.tables[0].rows[0]
    assert (worst.label, worst.recall, worst.recall_low, worst.precision, worst.f1) == ("3", 0, 0, None, 0)


def test_without_a_floor_the_weakest_class_is_named_and_nothing_is_judged(store: Store) -> None:
    reading = _read(store, replace(SMALL, terms=Terms(floor=None)))
    assert {row.below_floor for row in reading.tables[0].rows} == {"unknown"}
    assert "[report] class_floor" in reading.findings[0].words
    assert reading.tables[0].rows[0].label in reading.findings[0].words


def test_as_it_was_then(store: Store) -> None:
    early = _read(store, replace(SMALL, rounds=2), days=1.9)
    late = replace(SMALL, name="other")
    late.write(store)
    assert _again(store, late, days=1.9).tables == early.tables
    assert _again(store, late).tables != early.tables


def test_before_anything_is_measured_it_says_what_is_missing(store: Store) -> None:
    reading = _read(store, SMALL, days=0.1)
    assert reading.findings[0].tone is Tone.UNKNOWN
    assert "`workbench round tell` goes on with round 0" in reading.findings[0].words
    assert sum(row.n for row in reading.tables[0].rows) == 300
    assert not any(chart.name == "coverage_recall" for chart in reading.charts)


def test_an_empty_project_has_rows_without_numbers_and_no_chart(store: Store) -> None:
    with store.begin() as tx:
        project = tx.projects.ensure("empty", kind=TaskKind.TEXT, classes=("a", "b"), seed=0)
    with store.read() as tx:
        reading = Coverage().read(tx.facts(project), View())
    assert "--test-share 0.2" in reading.findings[0].words
    assert [(row.label, row.labels, row.recall) for row in reading.tables[0].rows] == [
        ("a", 0, None),
        ("b", 0, None),
    ]
    assert reading.charts == ()
    assert "No label yet of 2 classes: 'a' and 'b'." in [finding.words for finding in reading.findings]


def test_sources_share_items_labels_and_held_out_items_among_them(store: Store) -> None:
    reading = _read(store, SMALL)
    sources = reading.tables[1].rows
    assert sum(row.items for row in sources) == 500 - 300
    assert sum(row.n for row in sources) == 300
    assert sum(row.labels for row in sources) == sum(row.labels for row in reading.tables[0].rows)
    assert sum(row.items_share for row in sources) == pytest.approx(1)
    assert all(row.low <= row.accuracy <= row.high for row in sources)


def test_a_source_of_held_out_items_alone_got_no_labels_and_is_not_blamed_for_it(store: Store) -> None:
    first = _read(store, SMALL).tables[1].rows
    with store.begin() as tx:
        (project,) = tx.projects.all()
        shard = tx.pool.add_shard(project.id, uri="more", rows=900, sha256="more", source="test.csv")
        held_out = [
            NewItem(
                key=f"more-{row}",
                split=Split.TEST,
                payload={},
                sha256=f"more-{row}",
                shard_id=shard.id,
                row=row,
                known_label=project.classes[0],
            )
            for row in range(900)
        ]
        tx.pool.touch(project.id, held_out)
    with store.read() as tx:
        reading = Coverage().read(tx.facts(project), View())
    added = next(row for row in reading.tables[1].rows if row.source == "test.csv")
    assert (added.items, added.items_share, added.labels) == (0, 0, 0)
    assert [row.items for row in reading.tables[1].rows if row is not added] == [row.items for row in first]
    assert not [finding for finding in reading.findings if "their size would bring" in finding.words]


def test_regions_count_what_lies_in_them() -> None:
    pool = np.array([[x, y] for x in range(8) for y in range(8)], float)
    labeled = pool[pool[:, 0] < 4]
    found = regions(pool, labeled, strips=8)
    assert found.pool_X_Y.shape == (8, 8)
    assert found.pool_X_Y.sum() == pytest.approx(1)
    assert found.labels_X_Y.sum() == 32
    assert found.left_out == pytest.approx(0.5)
    assert found.at_random == pytest.approx((1 - 1 / 64) ** 32)


def test_labels_drawn_at_random_leave_out_what_random_labels_leave_out() -> None:
    random = np.random.default_rng(0)
    pool = random.normal(size=(2000, 2))
    more = []
    for _ in range(200):
        found = regions(pool, random.normal(size=(60, 2)))
        more.append(found.left_out > found.at_random_high)
    assert np.mean(more) <= 0.11


def test_a_corner_of_the_pool_without_labels_is_told(store: Store) -> None:
    what = replace(SMALL, rounds=4, batch=100)
    what.write(store)
    with store.read() as tx:
        project = tx.projects.get(what.name)
        assert project is not None
        places = tx.facts(project).coverage.labeled_places(1000)
    random = np.random.default_rng(1)
    near = places[random.integers(0, len(places), 500)] + random.normal(scale=0.05, size=(500, 2))
    sample = np.concatenate([near, places.max(0) + 5 + random.random((500, 2))])
    axes = {"mean_D": np.zeros(2), "scale_D": np.ones(2), "directions_D_2": np.eye(2)}
    with store.begin() as tx:
        tx.evidence.keep_map(project.id, "text", "0" * 64, pack_map(PoolMap(**axes, sample_S_2=sample)))
    with store.read() as tx:
        reading = Coverage().read(tx.facts(project), View())
    assert reading.findings[-1].tone is Tone.WARNING
    empty = sum(row.pool_share for row in reading.tables[2].rows if not row.labels)
    assert empty >= 0.4
    chart = next(chart for chart in reading.charts if chart.name == "coverage_map")
    assert [len(mark.x) for mark in chart.marks if isinstance(mark, Dots)] == [500, len(places)]
