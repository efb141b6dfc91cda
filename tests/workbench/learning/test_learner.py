import errno
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.domain.errors import ArtifactProblem, ModelProblem, PoolProblem
from workbench.learning.evaluate import evaluate
from workbench.learning.learner import Learner, LearnerSpec, data_hash, fingerprint
from workbench.learning.outcomes import outcomes
from workbench.learning.trial import trial

CLASSES = ("low", "high")
SPEC = LearnerSpec(
    model="mlp",
    model_options={"hidden": 16},
    posterior_options={"epochs": 60},
    encoder="features",
    classes=CLASSES,
    n_samples=8,
)
WORDS = {"low": ["cheap", "small", "weak"], "high": ["dear", "large", "strong"]}


def _rows(n: int, seed: int = 0) -> tuple[list[Mapping[str, Any]], list[str]]:
    dice = random.Random(seed)
    payloads = [{"features": [1e6 + 1e3 * dice.gauss(0, 1), dice.random()]} for _ in range(n)]
    return payloads, [CLASSES[payload["features"][0] > 1e6] for payload in payloads]


def _texts(n: int) -> tuple[list[Mapping[str, Any]], list[str]]:
    dice = random.Random(0)
    labels = [CLASSES[number % 2] for number in range(n)]
    return [{"text": " ".join(dice.choices(WORDS[label], k=4))} for label in labels], labels


def _fitted(spec: LearnerSpec = SPEC, seed: int = 0, **options: Any) -> tuple[Learner, Any]:
    learner = Learner(spec)
    return learner, learner.fit(*_rows(40), seed=seed, **options)


def _predicted(learner: Learner, posterior: Any, n: int = 50) -> torch.Tensor:
    return torch.cat(list(learner.predict(posterior, [_rows(n, 1)[0]], seed=3)))


@pytest.mark.parametrize("posterior", ["mc_dropout", "ensemble"])
def test_a_learner_learns(posterior: str) -> None:
    learner, fitted = _fitted(replace(SPEC, posterior=posterior))
    payloads, labels = _rows(200, 1)
    seen = outcomes(learner.samples(fitted, [payloads], seed=3), labels, CLASSES)
    assert evaluate(seen)[0].value > 0.9


def test_a_text_learner_learns() -> None:
    learner = Learner(replace(SPEC, model="text", encoder="text", model_options={}))
    posterior = learner.fit(*_texts(20), seed=0)
    payloads, labels = _texts(60)
    seen = outcomes(learner.samples(posterior, [payloads], seed=0), labels, CLASSES)
    assert evaluate(seen)[0].value > 0.95


@pytest.mark.parametrize("posterior", ["mc_dropout", "ensemble"])
def test_the_same_seed_gives_the_same_file_and_another_seed_another(posterior: str, tmp_path: Path) -> None:
    spec = replace(SPEC, posterior=posterior)
    hashes = [
        learner.save(fitted, tmp_path, str(number)).sha256
        for number, (learner, fitted) in enumerate(_fitted(spec, seed) for seed in (5, 5, 6))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_training_leaves_the_global_state_alone() -> None:
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    learner, posterior = _fitted()
    _predicted(learner, posterior)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("posterior", ["mc_dropout", "ensemble"])
def test_what_was_saved_says_the_same_when_loaded(posterior: str, tmp_path: Path) -> None:
    learner, fitted = _fitted(replace(SPEC, posterior=posterior))
    loaded = Learner(learner.spec).load(*learner.save(fitted, tmp_path / "deep", "model"))
    assert torch.equal(_predicted(learner, loaded), _predicted(learner, fitted))


def test_predictions_are_probabilities_in_order_for_any_batches() -> None:
    learner, posterior = _fitted()
    payloads = _rows(50, 1)[0]
    whole = _predicted(learner, posterior)
    assert torch.allclose(whole.sum(-1), torch.ones(50))
    cut = list(learner.predict(posterior, iter([payloads[:7], payloads[7:7], payloads[7:]]), seed=3))
    assert torch.allclose(torch.cat(cut), whole, atol=1e-6)
    assert list(learner.predict(posterior, [], seed=3)) == []


def test_a_shard_scored_alone_has_the_scores_of_the_whole() -> None:
    learner, posterior = _fitted()
    payloads = _rows(50, 1)[0]
    whole = torch.cat([c.scores_N for c in learner.score(posterior, [payloads], function="bald", seed=1)])
    chunks = list(learner.score(posterior, [payloads[30:]], function="bald", seed=1, start=30))
    assert chunks[0].start == 30
    assert torch.allclose(torch.cat([c.scores_N for c in chunks]), whole[30:], atol=1e-6)


def test_the_scale_comes_from_the_population_and_is_saved(tmp_path: Path) -> None:
    learner, posterior = _fitted(population=iter([_rows(500, 2)[0]]))
    mean = next(tensor for name, tensor in posterior.state().items() if name.endswith("mean"))
    rows = torch.tensor([payload["features"] for payload in _rows(500, 2)[0]], dtype=torch.float64)
    assert torch.allclose(mean, rows.mean(0))
    loaded = learner.load(*learner.save(posterior, tmp_path, "m"))
    assert torch.equal(_predicted(learner, loaded), _predicted(learner, posterior))


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    _fitted(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (60, 60)


def test_labels_that_teach_nothing_are_refused() -> None:
    learner, payloads = Learner(SPEC), _rows(2)[0]
    with pytest.raises(ModelProblem, match=r"of 1 class \(low\); expected at least two"):
        learner.fit(payloads, ["low", "low"], seed=0)
    with pytest.raises(ModelProblem, match="0 labels of 0 classes"):
        learner.fit([], [], seed=0)
    with pytest.raises(ModelProblem, match="the label 'odd'; the classes are low, high"):
        learner.fit(payloads, ["low", "odd"], seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"posterior": "mc_droput"}, "mc_dropout"),
        ({"posterior_options": {"epoch": 3}}, "epoch"),
        ({"posterior_options": {"learning_rate": 1e30}}, "learning_rate"),
        ({"model_options": {"dropout": 0.0}}, "dropout"),
        ({"model": "odd_net:plain", "model_options": {}}, "dropout"),
        ({"model": "odd_net:narrow", "model_options": {}}, "only 1 outputs"),
        ({"model": "odd_net:flat", "model_options": {}}, "Expected outputs of shape"),
        ({"model": "odd_net:wrong_size", "model_options": {}}, "can not be trained on"),
    ],
)
def test_what_can_not_be_trained_says_why(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "odd_net.py").write_text(
        "from torch import nn\n"
        "def plain(n_classes): return nn.Linear(2, n_classes)\n"
        "def narrow(): return nn.Sequential(nn.Dropout(), nn.Linear(2, 1))\n"
        "def flat(n_classes): return nn.Sequential(nn.Dropout(), nn.Linear(2, 1), nn.Flatten(0))\n"
        "def wrong_size(n_classes): return nn.Sequential(nn.Dropout(), nn.Linear(9, n_classes))\n"
    )
    with pytest.raises(ModelProblem, match=message) as caught:
        _fitted(replace(SPEC, project_root=tmp_path, **changes))
    assert "workbench doctor" in str(caught.value)


def test_a_model_with_more_outputs_than_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wide_net.py").write_text(
        "from torch import nn\ndef build(): return nn.Sequential(nn.Dropout(), nn.Linear(2, 7))\n"
    )
    spec = replace(SPEC, model="wide_net:build", model_options={}, project_root=tmp_path)
    with pytest.raises(ModelProblem, match="7 outputs, expected 2"):
        trial(Learner(spec), _rows(10)[0])


def test_an_unknown_acquisition_function_is_refused() -> None:
    learner, posterior = _fitted()
    with pytest.raises(ModelProblem, match="bald"):
        list(learner.score(posterior, [_rows(3)[0]], function="bold", seed=0))


def test_a_checkpoint_that_is_missing_cut_or_changed_is_trained_again(tmp_path: Path) -> None:
    learner, posterior = _fitted()
    path, sha256 = learner.save(posterior, tmp_path, "model")
    content = path.read_bytes()
    for damage in (content[:-10], b"", content[:-1] + b"\x01\x02"):
        path.write_bytes(damage)
        with pytest.raises(ArtifactProblem, match=r"expected .*workbench round resume"):
            learner.load(path, sha256)
    path.unlink()
    with pytest.raises(ArtifactProblem, match=r"No such file.*workbench round resume"):
        learner.load(path, sha256)


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    learner, posterior = _fitted()
    saved = learner.save(posterior, tmp_path, "m")
    with pytest.raises(ArtifactProblem, match="another configuration"):
        Learner(replace(SPEC, model_options={"hidden": 17})).load(*saved)
    Learner(replace(SPEC, n_samples=9)).load(*saved)


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, posterior = _fitted()
    path, _ = learner.save(posterior, tmp_path, "m")
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArtifactProblem, match=r"disk is full.*bytes.*workbench round resume"):
        learner.save(posterior, tmp_path, "m")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    learner, posterior = _fitted()
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactProblem, match="can not be written"):
        learner.save(posterior, tmp_path / "file", "m")


def test_the_hash_of_a_data_set_follows_content_and_configuration_and_not_the_order() -> None:
    base = data_hash(["a", "b"], ["low", "high"], SPEC)
    assert data_hash(["b", "a"], ["high", "low"], SPEC) == base
    assert data_hash(["a", "b"], ["high", "low"], SPEC) != base
    assert data_hash(["a", "b"], ["low", "high"], replace(SPEC, posterior="ensemble")) != base
    assert fingerprint(replace(SPEC, project_root=Path("/x"), n_samples=2)) == fingerprint(SPEC)


def test_a_trial_reports_the_shape_of_the_items() -> None:
    report = trial(Learner(SPEC), _rows(20)[0])
    assert (report.items, report.input_shape) == (10, (2,))


def test_a_trial_needs_two_items() -> None:
    with pytest.raises(PoolProblem, match="workbench pool add"):
        trial(Learner(SPEC), _rows(1)[0])


def test_coverage_needs_no_model() -> None:
    assert Learner(SPEC).coverage([_rows(5)[0], _rows(4)[0]], seed=0).shape == (9, 2)
