"""``reconcile`` and the queue in which conflicts are ruled on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.labelers.records import ProjectFacts
from tests.acceptance.test_annotator_policies import QUEUE, RULED, World, make, truth, wrong
from workbench.domain.reconcile import Kind, Outcome
from workbench.domain.records import LabelStatus
from workbench.steps.reconcile import reconcile

__all__ = ["make"]


@pytest.fixture
def conflict(make: Callable[..., World]) -> tuple[World, str]:
    """A conflict that waits in the queue, and its item."""
    world = make(RULED)
    first = world.ask()[0].item_key
    world.work("ada")
    world.work("ben", lambda key: wrong(key) if key == first else truth(key))
    world.tell()
    return world, first


def found(world: World, **options: Any) -> list[tuple[Kind, Outcome]]:
    return [(finding.kind, finding.outcome) for finding in reconcile(world.parts, **options).findings]


def test_a_ruling_that_was_not_read_is_found_and_read(conflict: tuple[World, str]) -> None:
    world, first = conflict
    assert found(world) == []
    world.work("eve", truth, QUEUE)
    assert found(world) == [(Kind.UNREAD, Outcome.FIXABLE)]
    assert world.labels()[first].status is LabelStatus.CONFLICT, "without --fix nothing is changed"
    assert found(world, fix=True) == [(Kind.UNREAD, Outcome.FIXED)]
    assert (world.labels()[first].value, world.labels()[first].method) == (truth(first), "adjudicated")
    assert found(world) == []


def test_a_queue_that_is_gone_or_can_not_be_read_is_named(
    conflict: tuple[World, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = conflict
    real = world.labeler.describe_project
    for known, expected in ((None, (Kind.PROJECT, Outcome.LEFT)), ("odd", (Kind.CONTROL, Outcome.PERSON))):

        def describe(project_id: str, known: str | None = known) -> ProjectFacts | None:
            facts = real(project_id)
            assert facts is not None
            if project_id != world.project(QUEUE):
                return facts
            return None if known is None else replace(facts, problem=known)

        monkeypatch.setattr(world.labeler, "describe_project", describe)
        assert found(world, fix=True) == [expected]
