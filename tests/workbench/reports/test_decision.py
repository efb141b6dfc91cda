"""The verdict is a stated rule: each line of it, and who disagrees."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from workbench.domain.records import BudgetPoint
from workbench.domain.terms import Terms
from workbench.reports.decision import Heard, decide, votes
from workbench.reports.limits import _price, judged_caps, judged_deadline, judged_target, judged_worth
from workbench.reports.outlook import Outlook
from workbench.reports.rule_words import told
from workbench.reports.statistics.pace import Spent, pace_of
from workbench.reports.statistics.purchase import Purchase
from workbench.reports.stopping_record import Judged, Says, judged, kept

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
RULES = (
    "stabilizing_predictions",
    "kappa",
    "classification_change",
    "overall_uncertainty",
    "plateau",
    "expected_gain",
)


def _judged(rule: str, says: Says) -> Judged:
    return Judged(rule, f"Stop when {rule}.", 0.5, 0.4, says, f"{rule} found something.")


def _heard(
    *said: Says, limits: tuple[Judged, ...] = (), worth: Says = Says.GO_ON, measured: bool = True
) -> Heard:
    rules = tuple(_judged(rule, says) for rule, says in zip(RULES, said, strict=False))
    return Heard(limits, _judged("a_quarter_more", worth), rules, 7, measured)


S, G, U = Says.STOP, Says.GO_ON, Says.UNKNOWN


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        (_heard(), Says.GO_ON),
        (_heard(measured=False, worth=U), Says.UNKNOWN),
        (_heard(measured=False, worth=U, limits=(_judged("max_cost", S),)), Says.STOP),
        (_heard(limits=(_judged("deadline", S),)), Says.STOP),
        (_heard(limits=(_judged("max_cost", G), _judged("target", S))), Says.STOP),
        (_heard(G, G, G, G, G, G, limits=(_judged("target", G),)), Says.GO_ON),
        (_heard(S, S, U, U, U, U, worth=S), Says.STOP),
        (_heard(S, S, G, G, U, S), Says.STOP),
        (_heard(S, S, G, G, G, S, worth=S), Says.GO_ON),
        (_heard(S, S, S, S, S, G, worth=G), Says.GO_ON),
        (_heard(S, U, U, U, U, S, worth=S), Says.GO_ON),
    ],
)
def test_the_verdict_follows_the_rule(heard: Heard, says: Says) -> None:
    assert decide(heard).says is says


def test_the_first_limit_that_is_reached_is_the_ground() -> None:
    heard = _heard(S, S, S, worth=S, limits=(_judged("max_cost", S), _judged("target", S)))
    assert decide(heard).because == "max_cost found something."


def test_gain_for_money_has_no_second_vote() -> None:
    assert votes(_heard(S, G, U, U, U, S), Says.STOP) == ["stabilizing_predictions"]


def test_what_a_rule_said_is_read_as_it_was_kept() -> None:
    one = _judged("kappa", Says.STOP)
    assert judged({"rules": [kept(one)]}) == [one]
    assert judged({}) == []


def _outlook(terms: Terms, **point: Any) -> Outlook:
    facts = {"round_number": 3, "metric": "accuracy", "compute_seconds": 0.0}
    found = {"labels": 100, "annotations": 200, "seconds": 7200.0, "cost": 40.0, "n": 400}
    measured = {"value": 0.9, "low": 0.87, "high": 0.93}
    newest = BudgetPoint(**{**facts, **found, **measured, **point})
    spent = [Spent(newest.labels, newest.annotations, newest.seconds, NOW)]
    return Outlook(
        points=(newest,),
        terms=replace(terms, per_annotation=0.2),
        curves=None,
        pace=pace_of(spent, None, 200, 0),
        most=1000.0,
        at=NOW,
    )


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        (Terms(max_labels=100), S),
        (Terms(max_labels=101), G),
        (Terms(max_cost=40.3), S),
        (Terms(max_cost=41.0), G),
        (Terms(max_hours=2.01), S),
        (Terms(max_hours=2.1), G),
    ],
)
def test_a_cap_says_stop_as_soon_as_one_more_label_would_break_it(terms: Terms, says: Says) -> None:
    (found,) = judged_caps(_outlook(terms))
    assert found.says is says


def test_where_nobody_counted_seconds_labels_without_end_take_none_and_hours_cost_nothing() -> None:
    uncounted = _outlook(Terms(per_hour=18.0), seconds=0.0)
    taken = uncounted.taken(np.array([np.inf, 10.0] * 100))
    assert taken is not None
    assert not taken.seconds_D.any()
    assert taken.cost_D[1::2] == pytest.approx(10 * 2 * 0.2)
    assert np.isinf(taken.cost_D[::2]).all()


def test_all_caps_are_judged_and_none_that_is_not_set() -> None:
    every = Terms(max_labels=500, max_cost=100, max_hours=3)
    assert [one.rule for one in judged_caps(_outlook(every))] == ["max_labels", "max_cost", "max_hours"]
    assert judged_caps(_outlook(Terms())) == []
    assert "100 of 500 labels used by the end of round 3, 20.0 %." in judged_caps(_outlook(every))[0].reason


@pytest.mark.parametrize(("low", "says"), [(0.87, G), (0.9, S), (0.91, S), (None, U)])
def test_the_target_is_reached_by_the_lower_end_of_the_interval(low: float | None, says: Says) -> None:
    found = judged_target(_outlook(Terms(target=0.9), low=low))
    assert found is not None
    assert found.says is says
    assert judged_target(_outlook(Terms())) is None


@pytest.mark.parametrize(
    ("deadline", "says", "words"),
    [
        (date(2026, 5, 3), S, "over since 1 day"),
        (date(2026, 5, 4), G, "0 days left"),
        (date(2026, 5, 5), G, "1 day left"),
    ],
)
def test_the_deadline_lasts_until_its_day_is_over(deadline: date, says: Says, words: str) -> None:
    found = judged_deadline(_outlook(Terms(deadline=deadline)))
    assert found is not None
    assert found.says is says
    assert words in found.reason


def test_without_a_curve_nothing_is_said_of_what_labels_are_worth() -> None:
    found = judged_worth(_outlook(Terms()))
    assert found.says is Says.UNKNOWN
    assert found.reason == "A forecast needs 3 rounds with new labels and a measurement each, found 1."


def test_costs_of_labels_without_end_are_no_number_without_a_price() -> None:
    outlook = _outlook(Terms())
    taken = replace(outlook, terms=Terms()).taken(float("inf"))
    assert taken is not None
    assert (taken.cost_D == 0).all()


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_found_can_be_read_alone(rule: str) -> None:
    found = told(_judged(rule, Says.GO_ON))
    assert found.stated.startswith("Stop when ")
    assert found.reason.endswith(".")
    assert not found.reason.startswith(("It ", "At most"))
    missing = told(_judged(rule, Says.UNKNOWN)._replace(value=None, reason="Not enough evidence: 2 more."))
    assert missing.reason == "2 more."


def test_what_a_batch_brings_is_said_for_the_currency() -> None:
    kept = _judged("expected_gain", Says.GO_ON)
    paid = told(kept._replace(stated="by cost"), "EUR")
    assert paid.reason.endswith(" pp per EUR.")
    assert paid.stated.endswith(" pp per EUR.")
    assert told(kept._replace(stated="by cost")).reason.endswith(" per unit of money.")


def test_a_rule_of_another_version_is_told_as_it_was_kept() -> None:
    assert told(_judged("newer", Says.STOP)) == _judged("newer", Says.STOP)


def test_going_on_with_little_to_win_says_who_wants_it() -> None:
    against = decide(_heard(S, S, G, G, G, S, worth=S)).because
    assert against.startswith("classification change, overall uncertainty, plateau say go on, though ")
    alone = decide(_heard(S, U, U, U, U, S, worth=S)).because
    assert alone.startswith("fewer than 2 rules say stop, though ")
    assert "though" not in decide(_heard(worth=G)).because


@pytest.mark.parametrize(
    ("gain", "words"), [(0.02, " for 10.00 USD, 5.00 USD a point"), (0.0, " for 10.00 USD")]
)
def test_a_gain_is_told_by_the_price_of_a_point(gain: float, words: str) -> None:
    bought = Purchase(20, 0.9, 0.88, 0.92, gain, 0.0, gain, 10.0)
    assert _price(bought, _outlook(Terms(currency="USD"))) == words
