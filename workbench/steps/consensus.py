"""Labels from everybody's annotations at once: how much an answer counts follows from who gave it.

A pull gives each item that changed its majority at once. Where the configuration asks for more, this step
follows: it fits a model of the annotators to all answers of the project, and gives the labels in force
another revision where value, status or confidence is another now. What labels say afterwards depends only
on the annotations. Rounds that are closed stay as they were.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from workbench.domain.adjudication import METHOD as ADJUDICATED
from workbench.domain.adjudication import opinions, ruling
from workbench.domain.annotators import certain
from workbench.domain.consensus import Consensus, majority, usable
from workbench.domain.records import Annotation, Label, LabelStatus
from workbench.learning.crowd import Answer, posteriors
from workbench.steps.parts import Parts
from workbench.storage.annotations import Revision

MAJORITY = "majority"
#: Confidences are rounded to this many digits, so that one more answer does not move every label a little.
DIGITS = 2
#: Where people disagree and no answer is likelier than not, they have a conflict.
LIKELIER_THAN_NOT = 0.5


class Verdict(NamedTuple):
    """What an item's annotations come to, and who says so."""

    consensus: Consensus
    method: str


def reconsider(parts: Parts, *, changed: bool = True) -> int:
    """Bring the labels in line with the configured consensus; says how many got a new revision.

    Run twice, the second changes nothing. Labels that changed while the model was fitted are left alone:
    whoever changed them reconsiders.

    Args:
        parts: The project.
        changed: Whether annotations came in. If not, there is work only where a label was made by
            another method: by a pull after which the process was killed, or before the configuration changed.

    Raises:
        ConfigProblem: The library that the configuration names is not installed.
    """
    method = parts.config.annotators.consensus
    with parts.store.read() as tx:
        foreign = tx.crowd.decided_otherwise(parts.project.id, (method, ADJUDICATED))
        if not foreign and (method == MAJORITY or not changed):
            return 0
        labels = tx.annotations.labels(parts.project.id)
        annotations = tx.crowd.all(parts.project.id)
        known = tx.crowd.known_labels(parts.project.id)
    verdicts = decide(method, annotations, known)
    return _write(
        parts, method, [label for label in labels if _differs(label, verdicts.get(label.item_id))], verdicts
    )


def decide(method: str, annotations: Sequence[Annotation], known: Mapping[int, str]) -> dict[int, Verdict]:
    """Say what the annotations of each item come to; items whose label is known are no question.

    Pure, and independent of the order of the annotations.
    """
    by_item: dict[int, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        by_item[annotation.item_id].append(annotation)
    votes = {item_id: usable(opinions(versions)) for item_id, versions in by_item.items()}
    probabilities: Mapping[int, Mapping[str, float]] = {}
    if method != MAJORITY:
        probabilities = posteriors(method, _answers(votes), certain(annotations, known))
    return {
        item_id: _verdict(method, versions, votes[item_id], probabilities.get(item_id))
        for item_id, versions in sorted(by_item.items())
        if item_id not in known
    }


def _answers(votes: Mapping[int, Sequence[Annotation]]) -> Iterable[Answer]:
    for item_id, cast in votes.items():
        for vote in cast:
            if vote.label is not None:
                yield Answer(item_id, vote.annotator, vote.label)


def _verdict(
    method: str,
    versions: Sequence[Annotation],
    cast: Sequence[Annotation],
    probabilities: Mapping[str, float] | None,
) -> Verdict:
    ruled = ruling(versions)
    if ruled is not None:
        return Verdict(ruled, ADJUDICATED)
    if probabilities is None:
        return Verdict(majority(cast), method)
    return Verdict(likeliest(cast, probabilities), method)


def likeliest(cast: Sequence[Annotation], probabilities: Mapping[str, float]) -> Consensus:
    """Take the likeliest of the answers that were given, and its probability as confidence.

    Where people disagree, it is a conflict unless one answer is likelier than not. One that nobody gave is
    never taken, and what everybody says is taken even if it is unlikely, with the confidence to show it.
    """
    sources = tuple(vote.external_id for vote in cast)
    given = sorted({vote.label for vote in cast if vote.label is not None})
    chances = {label: round(probabilities[label], DIGITS) for label in given}
    best = max(given, key=lambda label: chances[label])
    if len(given) > 1 and chances[best] <= LIKELIER_THAN_NOT:
        return Consensus(None, LabelStatus.CONFLICT, chances[best], sources)
    return Consensus(best, LabelStatus.AGREED, chances[best], sources)


def _differs(label: Label, verdict: Verdict | None) -> bool:
    if verdict is None:
        return False
    facts = Consensus(label.value, label.status, label.confidence, label.annotations)
    return (facts, label.method) != tuple(verdict)


def _write(parts: Parts, method: str, stale: Sequence[Label], verdicts: Mapping[int, Verdict]) -> int:
    if not stale:
        return 0
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        now = tx.annotations.label_of(label.item_id for label in stale)
        revisions: dict[str, list[Revision]] = defaultdict(list)
        for label in stale:
            if now[label.item_id].revision == label.revision:
                verdict = verdicts[label.item_id]
                revisions[verdict.method].append(
                    Revision(label.item_id, label.revision + 1, verdict.consensus)
                )
        for name, those in sorted(revisions.items()):
            tx.annotations.revise_all(those, method=name)
        count = sum(map(len, revisions.values()))
        words = f"{count} of {len(verdicts)} labels reconsidered by {method}"
        tx.results.note(parts.project.id, "consensus", words)
    return count
