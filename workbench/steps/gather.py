"""Everything that comes in, and everything that is asked because of it: so ``ask`` and ``tell`` begin."""

from workbench.domain.errors import BudgetExhausted
from workbench.domain.records import TaskState
from workbench.steps.adjudicate import adjudicate
from workbench.steps.begun import as_begun
from workbench.steps.choose import affordable_batch
from workbench.steps.consensus import reconsider
from workbench.steps.parts import Parts
from workbench.steps.pull import Pulled, pull
from workbench.steps.redundancy import ask_for_more, ask_no_more
from workbench.steps.rulings import read_rulings
from workbench.steps.tidy import take_back


def gather(parts: Parts) -> Pulled:
    """Pull answers and rulings, reconsider labels; where one is in doubt, ask for an opinion or a ruling.

    Run twice, the second changes nothing.

    Raises:
        LabelerError: The labeler is away or says no; what was done so far is kept.
    """
    parts = as_begun(parts)
    pulled = pull(parts).plus(read_rulings(parts))
    reconsider(parts, changed=pulled.versions > 0)
    ask_for_more(parts)
    ask_no_more(parts)
    adjudicate(parts)
    return pulled


def make_room(parts: Parts, wanted: int) -> None:
    """Where a batch does not fit into the budget beside what closed rounds still wait for, wait no longer.

    Until then their tasks stay at the labeler and stay promised: somebody may still answer them. Those that
    nobody has touched are taken back, and those with an answer ask for no more.

    Raises:
        LabelerError: The labeler is away.
    """
    if _has_room(parts, wanted):
        return
    ask_no_more(parts, all_of_them=True)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        left = tx.wanted.left_over(parts.project.id)
        if not left:
            return
        tx.tasks.set_states({task.id: TaskState.CANCELLED for task in left})
        words = f"{len(left)} unanswered tasks of closed rounds are taken back: the budget needs their room"
        tx.results.note(parts.project.id, "taken-back", words)
    take_back(parts)


def _has_room(parts: Parts, wanted: int) -> bool:
    with parts.store.read() as tx:
        if tx.rounds.unfinished(parts.project.id) is not None:
            return True
        try:
            return affordable_batch(parts, tx, wanted) == wanted
        except BudgetExhausted:
            return False
