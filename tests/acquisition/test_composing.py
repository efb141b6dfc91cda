import pytest
import torch

import acquisition

BALD = torch.tensor([0.1, 0.5, 0.3, 0.5])
DISTANCE = torch.tensor([40.0, 10.0, 20.0, 30.0])


def test_a_weighted_sum_compares_scores_in_standard_units():
    def standard(s):
        return (s - s.mean()) / s.std(correction=0)

    found = acquisition.compose(
        "weighted_sum", {"bald": BALD, "far": DISTANCE}, weights={"bald": 2, "far": 1}
    )
    torch.testing.assert_close(found, 2 * standard(BALD) + standard(DISTANCE))
    plain = acquisition.compose("weighted_sum", {"bald": BALD, "far": DISTANCE}, scale="none")
    torch.testing.assert_close(plain, BALD + DISTANCE)
    flat = acquisition.compose("weighted_sum", {"bald": BALD, "flat": torch.ones(4)})
    torch.testing.assert_close(flat, standard(BALD))


def test_a_rank_product_does_not_depend_on_units_and_shares_ranks_between_equals():
    found = acquisition.compose("rank_product", {"bald": BALD, "far": DISTANCE})
    expected = -torch.tensor([4 * 1.0, 1.5 * 4, 3 * 3.0, 1.5 * 2]).log()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        acquisition.compose("rank_product", {"bald": 7 * BALD + 3, "far": DISTANCE.exp().double()}).float(),
        found,
    )
    only = acquisition.compose("rank_product", {"bald": BALD, "far": DISTANCE}, weights={"bald": 0, "far": 1})
    assert only.argsort(descending=True).tolist() == [0, 3, 2, 1]


def test_per_cost_divides_by_expected_seconds():
    seconds = torch.tensor([1.0, 5.0, 1.0, 2.0])
    found = acquisition.compose("per_cost", {"bald": BALD}, costs=seconds)
    torch.testing.assert_close(found, BALD / seconds)
    half = acquisition.compose("per_cost", {"bald": BALD}, costs=seconds, power=0.5)
    torch.testing.assert_close(half, BALD / seconds.sqrt())
    assert found.argmax() == 2


@pytest.mark.parametrize("name", sorted(acquisition.catalog()["compositions"]))
def test_no_item_is_an_answer_too(name):
    options = {"costs": torch.empty(0)} if name == "per_cost" else {}
    assert acquisition.compose(name, {"bald": torch.empty(0)}, **options).shape == (0,)


@pytest.mark.parametrize(
    ("name", "scores", "options", "error", "match"),
    [
        ("weighted_sum", {}, {}, acquisition.InvalidInput, "no scores"),
        (
            "weighted_sum",
            {"a": BALD, "b": BALD[:2]},
            {},
            acquisition.InvalidInput,
            "different numbers of items",
        ),
        (
            "weighted_sum",
            {"a": BALD},
            {"weights": {"b": 1.0}},
            acquisition.InvalidOption,
            r"\['b'\].*\['a'\]",
        ),
        ("weighted_sum", {"a": BALD}, {"scale": "log"}, acquisition.InvalidOption, "scale is 'log'"),
        (
            "weighted_sum",
            {"a": BALD},
            {"weights": {"a": float("nan")}},
            acquisition.InvalidOption,
            "weight of 'a'",
        ),
        ("rank_product", {"a": BALD}, {"weights": {"a": -1.0}}, acquisition.InvalidOption, "weight of 'a'"),
        ("rank_product", {"a": BALD / 0 * 0}, {}, acquisition.NotFinite, "scores"),
        ("per_cost", {"a": BALD}, {}, acquisition.InvalidOption, "give costs="),
        ("per_cost", {"a": BALD}, {"costs": torch.zeros(4)}, acquisition.InvalidOption, "above 0"),
        ("per_cost", {"a": BALD}, {"costs": torch.ones(3)}, acquisition.InvalidInput, "4 scores and costs"),
        ("per_cost", {"a": -BALD}, {"costs": torch.ones(4)}, acquisition.InvalidInput, "at least 0"),
        (
            "per_cost",
            {"a": BALD, "b": BALD},
            {"costs": torch.ones(4)},
            acquisition.InvalidInput,
            "takes one score",
        ),
        ("per_price", {"a": BALD}, {}, acquisition.UnknownMethod, "no composition 'per_price'"),
    ],
)
def test_wrong_requests_are_refused(name, scores, options, error, match):
    with pytest.raises(error, match=match):
        acquisition.compose(name, scores, **options)
