"""Where one more opinion on a labeled item is worth more than a new item.

BALD (or whatever orders the pool) chooses the new items and their order. ActiveLab then compares them with
the labeled items on one scale, and says how many of them, and which, take the place of the least wanted new
ones: never more than half of the batch, and never in place of the random share.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acquisition import Posterior
from workbench.domain.adjudication import opinions, ruling
from workbench.domain.consensus import usable
from workbench.domain.records import Item, PoolShard, Reason, Selection, TaskState
from workbench.domain.rounds import Round
from workbench.learning.active_lab import wanted_answers
from workbench.steps.candidates import Candidates, rows_at
from workbench.steps.models import model_that_scored
from workbench.steps.parts import Parts
from workbench.steps.pick import Pick
from workbench.steps.score import scoring_seed

#: A round buys new items with at least half of its batch: opinions alone never end.
LARGEST_SHARE = 0.5


class Labeled(NamedTuple):
    """An item that has answers, by annotator, and may get one more."""

    item: Item
    votes: Mapping[str, str]


class Exchange(NamedTuple):
    """A batch in which some labeled items took the place of new ones."""

    picks: list[Pick]
    relabels: list[Selection]


def with_relabels(
    parts: Parts, held: Round, candidates: Candidates, picks: list[Pick], shards: list[PoolShard]
) -> Exchange:
    """Exchange the least wanted new items for labeled ones that want another opinion more."""
    new = [pick for pick in picks if pick.reason is not Reason.CONTROL]
    if parts.config.annotators.relabel == "off" or held.scoring_run_id is None or not new:
        return Exchange(picks, [])
    labeled = labeled_items(parts)
    if not labeled:
        return Exchange(picks, [])
    posterior = model_that_scored(parts, held).posterior
    rows = rows_at(parts, candidates, [pick.index for pick in new], shards)
    known_L_C = _predictions(parts, held, posterior, [found.item.payload for found in labeled])
    wanted = wanted_answers(
        [found.votes for found in labeled],
        known_L_C,
        _predictions(parts, held, posterior, [row.payload for row in rows]),
        parts.project.classes,
    )
    taken = most_wanted(wanted.labeled_L, wanted.unlabeled_U, limit=int(len(picks) * LARGEST_SHARE))
    dropped = {pick.index for pick in new[len(new) - len(taken) :]}
    return Exchange(
        [pick for pick in picks if pick.index not in dropped],
        [_selection(parts, labeled[i], known_L_C[i], float(wanted.labeled_L[i])) for i in taken],
    )


def most_wanted(labeled_L: NDArray[Any], unlabeled_U: NDArray[Any], *, limit: int) -> list[int]:
    """The labeled items among the best ``U`` of both, best first; a new item wins a tie."""
    order = np.argsort(-np.concatenate([unlabeled_U, labeled_L]), kind="stable")[: len(unlabeled_U)]
    return [int(i) - len(unlabeled_U) for i in order if i >= len(unlabeled_U)][:limit]


def labeled_items(parts: Parts) -> list[Labeled]:
    """Labeled pool items without a ruling, that nothing is asked of now and that may get another opinion."""
    with parts.store.read() as tx:
        answered = tx.wanted.answered_tasks(parts.project.id)
        tasks = {task.item_id: task for task in answered if task.state is TaskState.LABELED}
        annotations = tx.annotations.brief_of_items(tasks)
        items = tx.pool.by_key(parts.project.id, [task.item_key for task in tasks.values()])
    found = []
    for item_id, task in sorted(tasks.items()):
        votes = {vote.annotator: vote.label for vote in usable(opinions(annotations[item_id])) if vote.label}
        if 0 < len(votes) < parts.config.annotators.max_overlap and ruling(annotations[item_id]) is None:
            found.append(Labeled(items[task.item_key], votes))
    return found


def _predictions(
    parts: Parts, held: Round, posterior: Posterior, payloads: Sequence[Mapping[str, Any]]
) -> NDArray[Any]:
    batches = [list(payloads)]
    parts_N_C = list(parts.learner.predict(posterior, batches, seed=scoring_seed(held)))
    return np.concatenate([part_N_C.numpy() for part_N_C in parts_N_C])


def _selection(parts: Parts, found: Labeled, probabilities_C: NDArray[Any], score: float) -> Selection:
    best = int(probabilities_C.argmax())
    return Selection(
        item_key=found.item.key,
        rank=0,
        reason=Reason.RELABEL,
        score=score,
        predicted=parts.project.classes[best],
        confidence=float(probabilities_C[best]),
    )
