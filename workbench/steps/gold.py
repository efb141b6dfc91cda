"""What is mixed into a batch to measure annotators: items with a known label, and a blind share.

Gold items are shown like all others, prediction included; where they stand in the batch is drawn by the
round's seed. Least used ones come first, so everybody meets a new one for as long as there are any.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workbench.domain.records import Item, Reason, Selection
from workbench.domain.rounds import Round
from workbench.domain.seeds import derive_seed, fraction
from workbench.steps.models import model_that_scored
from workbench.steps.parts import Parts
from workbench.steps.score import scoring_seed


def share_size(seed: int, size: int, share: float, purpose: str) -> int:
    """How many of ``size`` make up a share of it: on average exactly, whole numbers each time."""
    exact = size * share
    whole = int(exact)
    return whole + (fraction(seed, purpose) < exact - whole)


def gold_for(parts: Parts, held: Round, size: int) -> list[Selection]:
    """The gold items that go with a batch of ``size``, least used first; their ranks are not set yet."""
    wanted = share_size(held.seed, size, parts.config.annotators.gold_share, "gold-size")
    if wanted == 0:
        return []
    with parts.store.read() as tx:
        known = tx.wanted.gold(parts.project.id)
    known.sort(key=lambda gold: (gold.used, fraction(held.seed, "gold", gold.item.key)))
    return _predicted(parts, held, [gold.item for gold in known[:wanted]])


def mixed_in(seed: int, batch: Sequence[Selection], others: Sequence[Selection]) -> list[Selection]:
    """Put others at random places of a batch, whose own order stays; all ranks are set."""
    merged = list(batch)
    places = np.random.default_rng(derive_seed(seed, "gold-places"))
    for other in others:
        merged.insert(int(places.integers(0, len(merged) + 1)), other)
    return [replace(selection, rank=rank) for rank, selection in enumerate(merged)]


def blind_keys(seed: int, batch: Sequence[Selection], share: float) -> set[str]:
    """The items of a batch that are shown without the model's answer; only where there is one to show."""
    shown = [selection.item_key for selection in batch if selection.predicted is not None]
    drawn = sorted(shown, key=lambda key: fraction(seed, "blind", key))
    return set(drawn[: share_size(seed, len(shown), share, "blind-size")])


def _predicted(parts: Parts, held: Round, items: Sequence[Item]) -> list[Selection]:
    """Gold items with what the model that scored the pool says of them, as for everything else."""
    plain = [Selection(item_key=item.key, rank=0, reason=Reason.GOLD) for item in items]
    if held.scoring_run_id is None or not items:
        return plain
    posterior = model_that_scored(parts, held).posterior
    batches = [[item.payload for item in items]]
    (probabilities_N_C,) = parts.learner.predict(posterior, batches, seed=scoring_seed(held))
    best = probabilities_N_C.max(1)
    return [
        replace(selection, predicted=parts.project.classes[int(index)], confidence=float(value))
        for selection, index, value in zip(plain, best.indices, best.values, strict=True)
    ]
