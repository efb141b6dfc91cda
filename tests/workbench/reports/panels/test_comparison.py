"""Projects beside each other: paired where the items are the same, honest where they are not."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from scipy import stats

from tests.fixtures.made_up import START, MadeUp
from workbench.reports.chart import Line
from workbench.reports.panel import Reading, Tone, View
from workbench.reports.panels.comparison import Comparison, ProjectRow, StrategyRow
from workbench.reports.panels.contenders import MOST, OTHER_CLASSES, OTHER_ITEMS
from workbench.reports.statistics.seeds import mean_interval
from workbench.storage import tables as t
from workbench.storage.predictions import pack_right, unpack_right
from workbench.storage.store import Store, open_store

SMALL = MadeUp(
    name="first",
    rounds=4,
    batch=12,
    pool=500,
    test_items=120,
    random_arm=False,
    people={"ada": 0.1},
    foreseen=0,
    diagnosed=False,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without a project, made once."""
    path = tmp_path_factory.mktemp("empty") / "workbench.db"
    opened = open_store(f"sqlite:///{path}")
    opened.upgrade()
    opened.close()
    return path


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of it."""
    shutil.copy(empty, tmp_path / "workbench.db")
    opened = open_store(f"sqlite:///{tmp_path / 'workbench.db'}")
    yield opened
    opened.close()


def _read(
    store: Store, name: str = "first", compare: Sequence[str] = (), days: float | None = None
) -> Reading:
    with store.read() as tx:
        project = tx.projects.get(name)
        assert project is not None
        at = None if days is None else START + timedelta(days=days)
        return Comparison().read(tx.facts(project, at), View(compare=tuple(compare)))


def _rows(reading: Reading) -> list[ProjectRow]:
    return list(reading.tables[0].rows)


def _strategies(reading: Reading) -> list[StrategyRow]:
    return list(reading.tables[1].rows)


def _same_items(store: Store) -> None:
    """Give every project the same held-out items: their hashes follow from their places."""
    with store.engine.begin() as connection:
        for project in connection.execute(sa.select(t.project.c.id)).scalars().all():
            test = sa.select(t.item.c.id).where(t.item.c.project_id == project, t.item.c.split == "test")
            for place, item in enumerate(connection.execute(test.order_by(t.item.c.id)).scalars().all()):
                connection.execute(t.item.update().where(t.item.c.id == item).values(sha256=f"same {place}"))


def _configure(store: Store, name: str, function: str) -> None:
    with store.engine.begin() as connection:
        project = sa.select(t.project.c.id).where(t.project.c.name == name).scalar_subquery()
        config = {
            "project": {"name": name},
            "posterior": {"name": "swag"},
            "acquisition": {"function": function},
        }
        connection.execute(t.round_.update().where(t.round_.c.project_id == project).values(config=config))


def test_one_project_has_nothing_to_be_compared_with(store: Store) -> None:
    SMALL.write(store)
    reading = _read(store)
    assert "nothing to compare with" in reading.findings[0].words
    assert (len(_rows(reading)), reading.charts) == (1, ())


def test_a_project_without_a_round_is_a_row_without_numbers(store: Store) -> None:
    SMALL.write(store)
    replace(SMALL, name="new", rounds=0).write(store)
    first, new = _rows(_read(store))
    assert (new.project, new.labels, new.accuracy, new.difference) == ("new", 0, None, None)
    assert first.labels > 0


def test_on_the_same_items_the_interval_is_paired_and_much_narrower(store: Store) -> None:
    SMALL.write(store)
    replace(SMALL, name="second", gain=SMALL.gain).write(store)
    unpaired = _rows(_read(store))[1]
    assert unpaired.comparable == OTHER_ITEMS
    _same_items(store)
    paired = _rows(_read(store))[1]
    assert paired.comparable == "item by item"
    assert paired.difference == unpaired.difference
    assert _width(paired) < 0.5 * _width(unpaired)


def _width(row: ProjectRow) -> float:
    assert row.difference_low is not None
    assert row.difference_high is not None
    return row.difference_high - row.difference_low


def _turn_round(store: Store, name: str) -> None:
    """Tell the held-out items of a project, and what its models had right, from the last to the first."""
    with store.engine.begin() as connection:
        project = connection.execute(sa.select(t.project.c.id).where(t.project.c.name == name)).scalar_one()
        test = sa.select(t.item.c.id, t.item.c.sha256).where(
            t.item.c.project_id == project, t.item.c.split == "test"
        )
        items = connection.execute(test.order_by(t.item.c.id)).all()
        for item, other in zip(items, reversed(items), strict=True):
            connection.execute(t.item.update().where(t.item.c.id == item.id).values(sha256=other.sha256))
        own = t.prediction_set.c.round_id.in_(
            sa.select(t.round_.c.id).where(t.round_.c.project_id == project)
        )
        for row in connection.execute(sa.select(t.prediction_set).where(own)).all():
            right = pack_right(unpack_right(row.right, row.n)[::-1])
            connection.execute(
                t.prediction_set.update().where(t.prediction_set.c.id == row.id).values(right=right)
            )


def test_the_same_items_in_another_order_are_still_paired(store: Store) -> None:
    """A project against itself, its items told in another order, differs by nothing at all."""
    SMALL.write(store)
    replace(SMALL, name="second").write(store)
    _same_items(store)
    _turn_round(store, "second")
    row = _rows(_read(store))[1]
    found = (row.difference, row.difference_low, row.difference_high)
    assert found == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_a_much_better_project_is_shown_to_be_better(store: Store) -> None:
    SMALL.write(store)
    replace(SMALL, name="better", gain=0.8, ceiling=0.99).write(store)
    reading = _read(store)
    row = _rows(reading)[1]
    assert row.difference_low is not None
    assert row.difference_low > 0
    assert reading.findings[0].tone is Tone.GOOD
    assert "“better” against “first”" in reading.findings[0].words
    assert _read(store, "better").findings[0].tone is Tone.BAD


def test_other_classes_are_not_compared(store: Store) -> None:
    SMALL.write(store)
    replace(SMALL, name="other", classes=("a", "b", "c")).write(store)
    reading = _read(store)
    assert _rows(reading)[1].comparable == OTHER_CLASSES
    assert _rows(reading)[1].difference is None
    assert all("other" not in mark.name for chart in reading.charts for mark in chart.marks)
    assert any(finding.tone is Tone.WARNING for finding in reading.findings)


def test_seeds_of_one_strategy_are_taken_together_and_paired_by_seed(store: Store) -> None:
    for seed in range(3):
        for function, gain in (("bald", 2.2), ("random", 3.0)):
            name = "first" if (function, seed) == ("bald", 0) else f"{function} {seed}"
            replace(SMALL, name=name, seed=seed, gain=gain).write(store)
            _configure(store, name, function)
    reading = _read(store)
    bald, random = _strategies(reading)
    assert (bald.strategy, bald.projects, bald.difference) == ("swag, bald", 3, None)
    assert (random.paired_seeds, random.wins) == (3, 0)
    assert random.difference == pytest.approx(random.mean_accuracy - bald.mean_accuracy)
    assert len(reading.charts[0].marks) == 2
    assert any("paired by 3 seeds" in finding.words for finding in reading.findings)


def test_two_seeds_that_differ_much_have_no_accuracy_beyond_all(store: Store) -> None:
    for seed, ceiling in ((0, 0.97), (1, 0.6)):
        name = "first" if seed == 0 else "second"
        replace(SMALL, name=name, seed=seed, ceiling=ceiling).write(store)
        _configure(store, name, "bald")
    reading = _read(store)
    (bald,) = _strategies(reading)
    assert bald.mean_accuracy_low == 0.0
    assert bald.mean_accuracy_high == 1.0
    (line,) = reading.charts[0].marks
    assert isinstance(line, Line)
    assert all(0 <= low <= high <= 1 for low, high in zip(line.low, line.high, strict=True))


def test_seeds_that_learnt_from_no_label_have_no_line(store: Store) -> None:
    for seed in range(2):
        name = "first" if seed == 0 else "second"
        replace(SMALL, name=name, seed=seed).write(store)
        _configure(store, name, "bald")
    with store.engine.begin() as connection:
        connection.execute(t.prediction_set.update().values(labels=0))
    reading = _read(store)
    assert reading.charts == ()
    assert _strategies(reading) == []


def test_those_that_are_named_are_compared_in_that_order(store: Store) -> None:
    SMALL.write(store)
    for name in ("a", "b", "c"):
        replace(SMALL, name=name, rounds=2).write(store)
    assert [row.project for row in _rows(_read(store, compare=("c", "a")))] == ["first", "c", "a"]


def test_no_more_than_a_page_of_projects_is_shown(store: Store) -> None:
    SMALL.write(store)
    for number in range(MOST + 2):
        replace(SMALL, name=f"p{number}", rounds=0, test_items=2).write(store)
    reading = _read(store)
    assert len(_rows(reading)) == MOST
    assert any("--compare" in finding.words for finding in reading.findings)


def test_projects_that_began_later_are_not_in_an_old_comparison(store: Store) -> None:
    SMALL.write(store)
    before = _read(store, days=2.9)
    replace(SMALL, name="later", start=START + timedelta(days=3)).write(store)
    assert _read(store, days=2.9) == before
    assert len(_rows(_read(store, days=5))) == 2


def test_the_interval_of_seeds_is_students() -> None:
    values = np.array([0.91, 0.93, 0.90, 0.95])
    mean, low, high = mean_interval(values, 0.9)
    expected = stats.t.interval(0.9, 3, loc=values.mean(), scale=stats.sem(values))
    assert (float(low), float(high)) == pytest.approx(expected)
    assert float(mean) == pytest.approx(values.mean())
    assert not np.isfinite(mean_interval(values[:1], 0.9)[1])


def test_one_run_that_is_a_little_ahead_is_not_called_better(store: Store) -> None:
    large = replace(SMALL, test_items=3000, rounds=6)
    large.write(store)
    replace(large, name="second", ceiling=large.ceiling + 0.01).write(store)
    _same_items(store)
    reading = _read(store)
    row = _rows(reading)[1]
    assert row.difference_low is not None
    assert row.with_luck_low is not None
    assert row.with_luck_high is not None
    # Of these very models it is sure; of the projects' ways of choosing it is not.
    assert row.difference_low > 0
    assert row.with_luck_low < 0 < row.with_luck_high
    assert reading.findings[0].tone is Tone.UNKNOWN
    assert "luck of batches and training" in reading.findings[0].words
