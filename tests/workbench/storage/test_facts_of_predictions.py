"""What rounds drew by known chances, and which held-out items models had right, as of any moment."""

from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from tests.fixtures.made_up import START, MadeUp
from workbench.domain.arms import Arm
from workbench.domain.records import Reason
from workbench.storage import tables as t
from workbench.storage.facts.facts import Facts
from workbench.storage.store import Store, Transaction

WHAT = MadeUp(rounds=5, batch=20, test_items=50, control_share=0.2, foreseen=0)


@pytest.fixture
def written(store: Store) -> Store:
    WHAT.write(store)
    return store


def _facts(tx: Transaction, after: int = WHAT.rounds) -> Facts:
    (project,) = tx.projects.all()
    return tx.facts(project, START + after * WHAT.every - timedelta(minutes=1))


def test_a_round_that_drew_gives_its_picks_in_order_and_the_pool_they_were_drawn_from(written: Store) -> None:
    with written.read() as tx:
        drawn = _facts(tx).predictions.drawn(1000)
    assert [batch.round_number for batch in drawn if len(batch.proposal_M)] == [1, 2, 3, 4]
    with written.engine.begin() as connection:
        for batch in drawn:
            rows = connection.execute(
                sa.select(t.selection, t.round_.c.pool_size, t.label.c.value, t.label.c.status)
                .join(t.round_, t.round_.c.id == t.selection.c.round_id)
                .join(t.label, t.label.c.item_id == t.selection.c.item_id)
                .where(t.round_.c.number == batch.round_number)
                .order_by(t.selection.c.rank)
            ).all()
            random = [row for row in rows if row.reason == Reason.CONTROL]
            chosen = [row for row in rows if row.proposal is not None and row.reason != Reason.CONTROL]
            assert batch.pool == rows[0].pool_size - len(random)
            np.testing.assert_allclose(batch.proposal_M, [row.proposal for row in chosen])
            agreed = [row.status == "agreed" for row in chosen]
            np.testing.assert_array_equal(batch.known_M, agreed)
            wrong = [row.status == "agreed" and row.value != row.predicted for row in chosen]
            np.testing.assert_array_equal(batch.wrong_M, wrong)


def test_only_the_newest_rounds_are_read_and_at_least_one(written: Store) -> None:
    with written.read() as tx:
        facts = _facts(tx).predictions
        assert [batch.round_number for batch in facts.drawn(45)] == [3, 4]
        assert [batch.round_number for batch in facts.drawn(1)] == [4]


def test_what_came_to_be_known_later_is_not_seen(written: Store) -> None:
    with written.read() as tx:
        then, now = _facts(tx, after=3), _facts(tx)
        assert [batch.round_number for batch in then.predictions.drawn(1000)][-1] == 2
        assert {hit.round_number for hit in then.predictions.hits()} == {0, 1, 2}
        assert {hit.round_number for hit in now.predictions.hits()} == {0, 1, 2, 3, 4}
        assert {point.round_number for point in then.points.curve()} == {0, 1, 2}


def test_a_correction_counts_from_when_it_was_known(written: Store) -> None:
    """All labels are taken back after the third round: before that moment they stand."""
    at = START + 3 * WHAT.every
    with written.engine.begin() as connection:
        connection.execute(t.label.update().values(superseded_at=at))
    with written.read() as tx:
        before, after = _facts(tx, after=3), _facts(tx)
        assert any(batch.known_M.any() for batch in before.predictions.drawn(1000))
        assert not any(batch.known_M.any() for batch in after.predictions.drawn(1000))


def test_hits_are_bits_of_the_predictions_that_were_kept(written: Store) -> None:
    with written.read() as tx:
        facts = _facts(tx).predictions
        newest = facts.newest(Arm.RANDOM)
        assert newest is not None
        number, predictions = newest
        hits = [hit for hit in facts.hits() if (hit.round_number, hit.arm) == (number, Arm.RANDOM)]
        np.testing.assert_array_equal(hits[0].right_N, predictions.right_N)
        assert hits[0].items_sha256 == predictions.items_sha256
