"""Every selector, function and posterior works in a project's rounds, not only in the library."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from acquisition.catalog import BUILT_IN, needs, options_of

SELECTORS = sorted(BUILT_IN["selectors"])
FUNCTIONS = sorted(set(BUILT_IN["functions"]) - {"predictive_variance"})
#: These wait for packages of an extra or cost more seconds than the round they would be shown in.
POSTERIORS = sorted(set(BUILT_IN["posteriors"]) - {"lora_ensemble", "laplace_lora", "deep_kernel", "svgp"})
STATE: dict[str, Path] = {}


@pytest.fixture
def after_one_round(folder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project whose coverage round is labeled and closed; made once and copied for each test."""
    if "made" not in STATE:
        folder.ready(36)
        assert folder.type("round", "ask").code == 0
        folder.label_all()
        assert folder.type("round", "tell").code == 0
        STATE["made"] = tmp_path_factory.mktemp("made") / "project"
        shutil.copytree(folder.path, STATE["made"])
    shutil.rmtree(folder.path)
    shutil.copytree(STATE["made"], folder.path)
    return folder


def _asked(folder: Any) -> list[str]:
    asked = folder.type("round", "ask", "--json")
    assert asked.code == 0, asked.err
    shown = folder.type("round", "show", "1", "--json").json
    return [pick["item"] for pick in shown["picks"]]


@pytest.mark.parametrize("name", SELECTORS)
def test_a_batch_is_chosen_by_every_selector(after_one_round: Any, name: str) -> None:
    after_one_round.configure(more=f'[acquisition]\nselector = "{name}"\nshortlist = 20')
    picks = _asked(after_one_round)
    assert len(picks) == len(set(picks)) == 6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_pool_is_scored_by_every_function(after_one_round: Any, name: str) -> None:
    after_one_round.configure(more=f'[acquisition]\nfunction = "{name}"\ntargets = 5')
    assert len(_asked(after_one_round)) == 6


@pytest.mark.parametrize("name", sorted(n for n in SELECTORS if needs("selectors", n) <= {"features"}))
def test_a_project_can_start_with_every_selector_of_features(folder: Any, name: str) -> None:
    folder.ready(30, more=f'[acquisition]\ncoverage = "{name}"')
    asked = folder.type("round", "ask", "--json")
    assert asked.code == 0, asked.err


@pytest.mark.parametrize("name", POSTERIORS)
def test_rounds_run_with_every_posterior(after_one_round: Any, name: str) -> None:
    after_one_round.configure(more='[acquisition]\nfunction = "margin"')
    text = (after_one_round.path / "workbench.toml").read_text()
    options = "options = { epochs = 15 }" if "epochs" in options_of("posteriors", name) else ""
    changed = text.replace("[posterior]", f'[posterior]\nname = "{name}"')
    after_one_round.write(changed.replace("options = { epochs = 15 }", options))
    assert len(_asked(after_one_round)) == 6
    after_one_round.label_all()
    told = after_one_round.type("round", "tell", "--debug")
    assert told.code == 0, told.err
    assert "made again" not in after_one_round.type("round", "show", "1", "--json").out


def test_a_function_of_numbers_is_refused_before_anything_is_done(after_one_round: Any) -> None:
    after_one_round.configure(more='[acquisition]\nfunction = "predictive_variance"')
    asked = after_one_round.type("round", "ask")
    assert asked.code == 1
    assert "[acquisition] function can not be 'predictive_variance'" in asked.err


def test_options_are_checked_before_anything_is_done(after_one_round: Any) -> None:
    for more, words in (
        ("[acquisition]\nfunction_options = { beta = 2 }", "'bald' takes no option 'beta'"),
        ('[acquisition]\nselector = "power"\nselector_options = { beta = -1.0 }', "beta is -1.0"),
    ):
        after_one_round.configure(more=more)
        asked = after_one_round.type("round", "ask")
        assert asked.code == 1
        assert words in asked.err
