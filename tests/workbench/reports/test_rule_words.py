"""Stopping rules told in full: what their thresholds mean, and by which curve a gain is expected."""

from workbench.reports.rule_words import told
from workbench.reports.stopping_record import Judged, Says

OLD = "Stop when the next batch is expected to bring less than 0.0001 per unit of cost."
NEW = "Stop when the next batch is expected to bring less than 0.00167 per unit of cost, 0.01 for 100 labels."


def _gain(stated: str, threshold: float) -> Judged:
    return Judged("expected_gain", stated, 0.0021, threshold, Says.GO_ON, "20 labels are …")


def test_a_threshold_that_follows_from_the_price_of_labels_says_so() -> None:
    found = told(_gain(NEW, 1 / 600), "USD")
    assert found.stated == (
        "Stop when the next batch is expected to bring less than 0.17 pp per USD, so less than a point for "
        "the price of 100 labels."
    )
    assert found.reason == "By a power law alone the next batch should bring 0.21 pp per USD."


def test_a_round_of_an_older_version_is_told_with_the_threshold_that_it_was_held_against() -> None:
    found = told(_gain(OLD, 1e-4), "USD")
    assert found.stated == "Stop when the next batch is expected to bring less than 0.01 pp per USD."


def test_small_units_of_money_keep_their_digits() -> None:
    assert "less than 0.0011 pp per JPY, so" in told(_gain(NEW, 1e-4 / 9), "JPY").stated
