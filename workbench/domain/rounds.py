"""The round: a state machine that lives in the database. The only place that knows the allowed moves.

``planned → scored → selected → pushed → labeling → settled → trained → evaluated → closed``, and from every
state but the last ``failed`` (which remembers where, and can be resumed) or ``cancelled``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench.domain.errors import RoundBusy, RoundProblem


class RoundState(StrEnum):
    """How far a round has come."""

    #: It exists; its seed and configuration are fixed.
    PLANNED = "planned"
    #: Every pool item has a score on disk (or there is no model yet and coverage decides).
    SCORED = "scored"
    #: The batch is chosen and its budget reserved; nothing has left the house.
    SELECTED = "selected"
    #: Every task is at the labeler, once.
    PUSHED = "pushed"
    #: Annotators are served this round's tasks, most wanted first.
    LABELING = "labeling"
    #: The batch is answered, or was closed as it was.
    SETTLED = "settled"
    #: A model has been trained on all labels.
    TRAINED = "trained"
    #: The model has been measured.
    EVALUATED = "evaluated"
    #: The budget point is recorded.
    CLOSED = "closed"
    #: A step raised an error; ``failed_from`` says which state it was in.
    FAILED = "failed"
    #: Given up; its unanswered items went back to the pool.
    CANCELLED = "cancelled"


ORDER = (
    RoundState.PLANNED,
    RoundState.SCORED,
    RoundState.SELECTED,
    RoundState.PUSHED,
    RoundState.LABELING,
    RoundState.SETTLED,
    RoundState.TRAINED,
    RoundState.EVALUATED,
    RoundState.CLOSED,
)
#: Longer than one request to a labeler can take, waiting and repeating included: nobody takes the round while
#: one is under way. Short enough to go on soon after another machine has died.
LEASE_SECONDS = 180.0
FINISHED = frozenset({RoundState.CLOSED, RoundState.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far the piece of work that is under way in a round has come; for people to see."""

    words: str
    done: int
    #: 0 while nobody knows how much it is.
    total: int
    #: When it was told.
    at: datetime

    @property
    def share(self) -> float | None:
        """Of the whole; None while nobody knows."""
        return min(1.0, self.done / self.total) if self.total > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One turn of the loop.

    Attributes:
        strategy: What chose the batch: an acquisition function's name, or ``coverage``.
        scoring_run_id: The model that scored the pool for this round.
        model_run_id: The model that was trained on this round's labels.
        fence: Grows with every new holder of the lease; a write with an old one is refused.
    """

    id: int
    project_id: int
    number: int
    state: RoundState
    failed_from: RoundState | None
    batch_size: int
    seed: int
    strategy: str | None
    scoring_run_id: int | None
    model_run_id: int | None
    fence: int
    lease_owner: str | None
    lease_until: datetime | None
    error: str | None
    created_at: datetime
    #: When annotators were first served it.
    released_at: datetime | None = None
    #: How many items there were to choose from.
    pool_size: int | None = None
    #: What is under way in it, while somebody works on it and says so.
    advance: Advance | None = None

    @property
    def key(self) -> str:
        """How the round is named at the labeler and on disk."""
        return f"round-{self.number:04d}"

    @property
    def position(self) -> RoundState:
        """The state to go on from: a failed round stands where it failed."""
        return self.failed_from if self.state is RoundState.FAILED and self.failed_from else self.state

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen in this round."""
        return self.state in FINISHED


def overtaken(held: Round) -> RoundBusy:
    """What to say to a process whose lease another one has taken."""
    return RoundBusy(
        f"Round {held.number} was taken over by another process; this one has stopped and wrote nothing. "
        "Type `workbench round show` to see where it stands."
    )


def check_move(found: RoundState, target: RoundState) -> None:
    """Refuse every move that is not the next one, a failure, or a cancellation before settling.

    Raises:
        RoundProblem: The move is not allowed.
    """
    if target is not successor(found):
        raise RoundProblem(
            f"A round in state '{found}' can not become '{target}'; next is '{successor(found)}'. "
            "Type `workbench round show` to see where it stands."
        )


def check_rescore(found: RoundState) -> None:
    """Refuse to score again but while nothing has been chosen from the scores.

    Raises:
        RoundProblem: The batch is chosen already, or there are no scores yet.
    """
    if found is not RoundState.SCORED:
        raise RoundProblem(f"A round in state '{found}' can not be scored again; only a scored one can.")


def successor(state: RoundState) -> RoundState | None:
    """The state after this one, or None at the end."""
    if state not in ORDER or state is ORDER[-1]:
        return None
    return ORDER[ORDER.index(state) + 1]


def check_cancel(found: Round) -> None:
    """Refuse to cancel a round whose labels are already being learnt from.

    Raises:
        RoundProblem: The round is finished or beyond labeling.
    """
    if found.finished or ORDER.index(found.position) > ORDER.index(RoundState.LABELING):
        raise RoundProblem(
            f"Round {found.number} is '{found.state}' and can not be cancelled; "
            "only a round up to 'labeling' can. Type `workbench round resume` to finish it."
        )
