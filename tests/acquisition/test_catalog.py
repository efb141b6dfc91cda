from importlib import import_module
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
import torch

import acquisition
from acquisition.catalog import BUILT_IN


def test_every_name_has_one_sentence():
    listed = acquisition.catalog()
    assert {kind: sorted(names) for kind, names in BUILT_IN.items()} == {
        k: sorted(v) for k, v in listed.items()
    }
    for names in listed.values():
        assert list(names) == sorted(names)
        for sentence in names.values():
            assert sentence.endswith(".")
            assert len(sentence) > 30


KNOWN_NEEDS = {
    "functions": {"log_probs", "samples", "rows", "seed", "features", "targets", "labeled"},
    "selectors": {"scores", "log_probs", "features", "groups"},
}


def test_every_function_and_selector_says_what_it_needs():
    from acquisition.catalog import needs

    for kind in ("functions", "selectors"):
        for name in BUILT_IN[kind]:
            assert needs(kind, name) <= KNOWN_NEEDS[kind]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: acquisition.score("bold", torch.zeros(1, 1, 1)),
            r"no function 'bold'. Did you mean 'bald'\? Known: bald,",
        ),
        (
            lambda: acquisition.select("topk", torch.zeros(1, 1, 1), 1),
            "no selector 'topk'. Did you mean 'top_k'",
        ),
        (lambda: acquisition.fit("dropout", None, None), "no posterior 'dropout'. Did you mean 'mc_dropout'"),
        (lambda: acquisition.restore("zzz", None, {}), "no posterior 'zzz'. Known: .*ensemble, .*mc_dropout"),
    ],
)
def test_an_unknown_name_lists_the_known_ones_and_the_nearest(call, match):
    with pytest.raises(acquisition.UnknownMethod, match=match):
        call()


def test_a_function_of_another_package_comes_in_by_the_same_door(monkeypatch, log_probs_T_N_C):
    entry = EntryPoint("constant", "strangers:constant", "active_labeling_workbench.functions")
    stranger = SimpleNamespace(
        __doc__="Constant: every item alike.",
        NEEDS=frozenset({"log_probs"}),
        build=lambda *, value=1.0: (
            lambda predictions: torch.full_like(predictions.predictive_entropy_N, value)
        ),
    )
    monkeypatch.setattr(EntryPoint, "load", lambda self: stranger)
    monkeypatch.setattr(
        import_module("acquisition.catalog"),
        "entry_points",
        lambda *, group, name=None: [entry] if group == entry.group and name in (None, entry.name) else [],
    )
    assert acquisition.catalog()["functions"]["constant"]
    assert acquisition.score("constant", log_probs_T_N_C, value=3).tolist() == [3.0] * 30
    with pytest.raises(acquisition.InvalidOption, match="Known: value"):
        acquisition.score("constant", log_probs_T_N_C, level=3)
