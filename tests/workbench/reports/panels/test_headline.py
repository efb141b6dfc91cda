"""The headline names what to type while a round is not over; one stopping rule says, several say."""

import pytest

from tests.fixtures.made_up import MadeUp
from workbench.reports.panel import View
from workbench.reports.panels.headline import Headline
from workbench.reports.panels.stopping import Stopping
from workbench.storage.store import Store


def _words(store: Store, made_up: MadeUp) -> str:
    made_up.write(store)
    with store.read() as tx:
        (project,) = tx.projects.all()
        return " ".join(finding.words for finding in Headline().read(tx.facts(project), View()).findings)


@pytest.mark.parametrize(
    ("made_up", "said"),
    [
        (MadeUp(rounds=0), "`workbench round ask` begins one"),
        (MadeUp(rounds=0, open_round=True), "`workbench round tell` goes on with round 0"),
        (MadeUp(rounds=0, failed=True), "`workbench round resume` goes on with round 0"),
    ],
    ids=["no round", "an open one", "a failed one"],
)
def test_before_a_round_is_closed_the_command_that_helps_is_named(
    store: Store, made_up: MadeUp, said: str
) -> None:
    assert f"No round was closed yet: {said}." in _words(store, made_up)


@pytest.mark.parametrize("under_way", [True, False])
def test_what_an_open_round_has_cost_is_said_to_be_missing_from_the_sums(
    store: Store, under_way: bool
) -> None:
    words = _words(store, MadeUp(rounds=2, test_items=50, open_round=under_way))
    assert ("Round 2 is not over: what it has cost so far is not in these sums" in words) is under_way


def test_one_rule_says_and_several_say(store: Store) -> None:
    MadeUp(rounds=1, test_items=50, foreseen=1).write(store)
    with store.read() as tx:
        (project,) = tx.projects.all()
        words = Stopping().read(tx.facts(project), View()).findings[0].words
    assert " 1 says " in words
    assert " 1 say " not in words
