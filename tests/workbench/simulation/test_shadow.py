"""The arms that a simulation is compared with: kept once, as large as they say, the same each time."""

from typing import Any

import numpy as np

from tests.faults.little_project import answers
from tests.workbench.steps.conftest import Played
from workbench.domain.arms import Arm
from workbench.simulation.shadow import known_pool, record_ceiling, record_control
from workbench.steps.parts import Parts
from workbench.storage.facts.predictions import Hits


def _recorded(parts: Parts) -> dict[Arm, list[Hits]]:
    known = known_pool(parts)
    record_control(parts, known, answers())
    record_ceiling(parts, known)
    with parts.store.read() as tx:
        hits = tx.facts(parts.project).predictions.hits()
    return {arm: [hit for hit in hits if hit.arm is arm] for arm in Arm}


def _metrics(parts: Parts, name: str) -> list[tuple[int, float]]:
    with parts.store.read() as tx:
        return [(number, m.value) for number, m in tx.results.metrics(parts.project.id) if m.name == name]


def test_the_random_arm_has_as_many_labels_and_the_ceiling_all_of_them(played: Played) -> None:
    parts = played(2, acquisition="control_share = 0.0")
    arms = _recorded(parts)
    with parts.store.read() as tx:
        bought = [point.labels for point in tx.results.budget_points(parts.project.id)]
    assert [hit.labels for hit in arms[Arm.ACTIVE]] == bought
    assert [hit.labels for hit in arms[Arm.RANDOM]] == bought
    assert [(hit.round_number, hit.labels) for hit in arms[Arm.CEILING]] == [(1, 50)]
    assert {hit.items_sha256 for hits in arms.values() for hit in hits} == {arms[Arm.ACTIVE][0].items_sha256}


def test_the_metrics_are_those_of_the_predictions_that_are_kept(played: Played) -> None:
    parts = played(2, acquisition="control_share = 0.0")
    arms = _recorded(parts)
    for name, arm in (("control_accuracy", Arm.RANDOM), ("ceiling_accuracy", Arm.CEILING)):
        assert _metrics(parts, name) == [(hit.round_number, hit.right_N.mean()) for hit in arms[arm]]


def test_recorded_again_nothing_is_trained_and_nothing_changes(played: Played, monkeypatch: Any) -> None:
    parts = played(2, acquisition="control_share = 0.0")
    before = _recorded(parts)
    monkeypatch.setattr(type(parts.learner), "fit", None)
    after = _recorded(parts)
    for arm, hits in before.items():
        for hit, again in zip(hits, after[arm], strict=True):
            np.testing.assert_array_equal(hit.right_N, again.right_N)
