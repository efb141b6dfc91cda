"""What one annotator says, by what is known without it."""

from typing import NamedTuple

from workbench.domain.annotators import confusion, judge
from workbench.domain.errors import ProjectProblem
from workbench.domain.records import Project
from workbench.storage.store import Store


class Confusion(NamedTuple):
    """How often each answer (column) was given where it should be a class (row)."""

    classes: tuple[str, ...]
    counts: list[list[int]]


def confusion_of(store: Store, project: Project, name: str) -> Confusion:
    """Count one annotator's judged answers.

    Raises:
        ProjectProblem: Nobody of this name has annotated.
    """
    with store.read() as tx:
        annotations = tx.crowd.all(project.id)
        known = tx.crowd.known_labels(project.id)
    if name not in {annotation.annotator for annotation in annotations}:
        raise ProjectProblem(
            f"Nobody named '{name}' has annotated in this project. "
            "Type `workbench annotators show` for those who have."
        )
    counted = confusion(judge(annotations, known), name)
    used = sorted({label for pair in counted for label in pair} - set(project.classes))
    classes = (*project.classes, *used)
    return Confusion(classes, [[counted[true, said] for said in classes] for true in classes])
