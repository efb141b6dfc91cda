"""What the random share alone would have taught: a model trained on its labels and nothing else.

It answers for real projects what a simulation's random arm answers where the truth is known. It costs one
training a round, on few labels, and is switched off by ``[acquisition] control_model = false``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.domain.arms import Arm
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed
from workbench.learning.spec import data_hash
from workbench.steps.evidence import Seen, held_out_items, on_held_out
from workbench.steps.models import population, teaches
from workbench.steps.parts import Parts
from workbench.steps.unforeseen import INCALCULABLE, UNFORESEEN, in_words
from workbench.storage.annotations import Example
from workbench.storage.predictions import same_items
from workbench.storage.store import Transaction

#: The diagnostic that says what became of the control model of a round.
CONTROL_MODEL = "control_model"
#: A model of fewer labels says more of luck than of the random share.
LEAST_LABELS = 10
#: States after which a model of the same labels would say what is kept already.
KNOWN = ("trained", "unchanged")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlArm:
    """What became of the control model: its predictions if it was trained, and why not if it was not."""

    content: Mapping[str, Any]
    labels: int = 0
    seen: Seen | None = None


def control_arm(parts: Parts) -> ControlArm | None:
    """Train on the labels of the random share and ask about the held-out items; None where switched off.

    Not trained is a model of the same labels as the last one: it would say the same. A model that can not be
    trained is said so, and fails no round. The seed follows from the labels.
    """
    if not parts.config.acquisition.control_model:
        return None
    with parts.store.read() as tx:
        found = tx.annotations.training_set(parts.project.id, control=True)
        last = _told(tx, parts.project.id)
    items = held_out_items(parts)
    if not items or not found:
        return None
    if len(found) < LEAST_LABELS or not teaches(found):
        return ControlArm(content={"state": "too few", "labels": len(found), "least": LEAST_LABELS})
    digest = data_hash([e.key for e in found], [e.label for e in found], parts.learner.spec)
    facts = {"labels": len(found), "data_hash": digest, "items_sha256": same_items(i.id for i in items)}
    if last and last[-1].get("state") in KNOWN and facts.items() <= last[-1].items():
        return ControlArm(content={**facts, "state": "unchanged"})
    try:
        return _trained(parts, found, facts)
    except UNFORESEEN as problem:
        return ControlArm(content={**facts, "state": "failed", "problem": in_words(problem)})


def keep_control(tx: Transaction, held: Round, arm: ControlArm | None) -> None:
    """Keep it with the round, in the transaction that measures the round; twice keeps it once."""
    if arm is None or tx.evidence.has_diagnostic(held.id, CONTROL_MODEL):
        return
    tx.evidence.keep_diagnostic(held.project_id, CONTROL_MODEL, arm.content, round_id=held.id)
    if arm.seen is not None:
        tx.evidence.keep_predictions(held.id, Arm.CONTROL, arm.labels, arm.seen.predictions)
    if problem := arm.content.get("problem"):
        message = f"There is no model of the random share this round: {problem}"
        tx.results.note(held.project_id, "control-model", message, round_id=held.id)


def control_seconds(tx: Transaction, project_id: int) -> float:
    """How long control models have been trained so far."""
    seconds = (content.get("seconds") for content in _told(tx, project_id))
    return sum((float(each) for each in seconds if isinstance(each, int | float)), 0.0)


def _told(tx: Transaction, project_id: int) -> list[dict[str, Any]]:
    """What became of the control models so far; nothing where that can not be read."""
    try:
        return tx.evidence.diagnostics(project_id, CONTROL_MODEL)
    except INCALCULABLE:
        return []


def _trained(parts: Parts, found: list[Example], facts: Mapping[str, Any]) -> ControlArm:
    seed = derive_seed(parts.project.seed, "random-share", facts["data_hash"])
    began = time.monotonic()
    with parts.progress(f"Training on {len(found)} labels of the random share") as report:
        posterior = parts.learner.fit(
            [e.payload for e in found],
            [e.label for e in found],
            seed=seed,
            progress=report,
            population=population(parts),
        )
    seconds = time.monotonic() - began
    content = {**facts, "state": "trained", "seed": seed, "seconds": seconds}
    return ControlArm(content=content, labels=len(found), seen=on_held_out(parts, posterior))
