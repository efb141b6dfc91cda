"""Compare the adjudication queue: is every ruling read?

Its tasks and its project need no comparison of their own: each ``tell`` looks at the tasks that wait, removes
second copies, notes what was deleted, and goes on in a new project where the old one is gone.
"""

from collections.abc import Mapping

from workbench.domain.reconcile import Finding, Kind, Outcome
from workbench.domain.rounds import Round
from workbench.steps.adjudicate import queue_parts
from workbench.steps.away import answering
from workbench.steps.parts import Parts
from workbench.steps.reconcile_answers import compare_answers


def compare_queue(parts: Parts, rounds: Mapping[str, Round], *, fix: bool) -> list[Finding]:
    """Compare all rulings on items of these rounds, by key; with ``fix`` they are read."""
    queue = queue_parts(parts)
    with parts.store.read() as tx:
        link = tx.projects.link(parts.project.id, queue.labeler.name)
    if link is None:
        return []
    where = f"Project {link.external_id} at the labeler, where conflicts are ruled on,"
    with answering(queue):
        facts = queue.labeler.describe_project(link.external_id)
        if facts is not None and facts.problem is None:
            return compare_answers(queue, link, rounds, fix=fix).findings
    if facts is None:
        action = "The next `workbench round tell` goes on in a new one; rulings that were read are kept."
        return [
            Finding(kind=Kind.PROJECT, outcome=Outcome.LEFT, found=f"{where} is gone there", action=action)
        ]
    found = f"{where} can not be read: {facts.problem}"
    action = "Mend its labeling interface, then type `workbench reconcile --fix`."
    return [Finding(kind=Kind.CONTROL, outcome=Outcome.PERSON, found=found, action=action)]
