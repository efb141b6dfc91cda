"""Rounds and their leases. A write with an old fence is refused: its holder has been overtaken."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from workbench.domain.errors import RoundBusy
from workbench.domain.rounds import (
    FINISHED,
    Advance,
    Round,
    RoundState,
    check_cancel,
    check_move,
    check_rescore,
    overtaken,
)
from workbench.storage.moves import note_round
from workbench.storage.statements import insert_one
from workbench.storage.tables import event, round_

FREE: dict[str, Any] = {"lease_owner": None, "lease_until": None, "progress": None}
#: What the audit trail says of a move when the step has nothing to add.
WORDS = {
    RoundState.SCORED: "The pool is scored",
    RoundState.PUSHED: "Every task is at the labeler",
    RoundState.LABELING: "Annotators are served this round",
    RoundState.TRAINED: "A model is trained on all labels",
    RoundState.EVALUATED: "The model is measured",
}


class Rounds:
    """The round table."""

    def __init__(self, connection: sa.Connection, now: datetime, actor: str) -> None:
        self._connection = connection
        self._now = now
        self._actor = actor

    def all(self, project_id: int) -> list[Round]:
        """Every round, oldest first."""
        rows = self._connection.execute(
            sa.select(round_).where(round_.c.project_id == project_id).order_by(round_.c.number)
        )
        return [_round(row) for row in rows]

    def get(self, round_id: int) -> Round:
        """One round as it is now."""
        return _round(self._connection.execute(sa.select(round_).where(round_.c.id == round_id)).one())

    def newest(self, project_id: int) -> Round | None:
        """The round that was started last."""
        row = self._connection.execute(
            sa.select(round_).where(round_.c.project_id == project_id).order_by(round_.c.number.desc())
        ).first()
        return None if row is None else _round(row)

    def unfinished(self, project_id: int) -> Round | None:
        """The round that is neither closed nor cancelled; there is at most one."""
        row = self._connection.execute(
            sa.select(round_)
            .where(round_.c.project_id == project_id, round_.c.state.not_in(FINISHED))
            .order_by(round_.c.number)
        ).first()
        return None if row is None else _round(row)

    def plan(self, project_id: int, *, batch_size: int, seed: int, config: Mapping[str, Any]) -> Round:
        """Make the next round; the caller has locked the project and found none unfinished."""
        rounds = self.all(project_id)
        new = insert_one(
            self._connection,
            round_,
            project_id=project_id,
            number=rounds[-1].number + 1 if rounds else 0,
            state=RoundState.PLANNED,
            batch_size=batch_size,
            seed=seed,
            config=dict(config),
            created_at=self._now,
            updated_at=self._now,
        )
        note_round(self._connection, self._now, new)
        return self.get(new)

    def trim(self, round_id: int, seconds: float) -> None:
        """Cut a lease that ends later than one that begins now: its clock was another, or went back since.

        Its holder renews it as ever, if it lives; if not, it ends in ``seconds`` and not when the old clock
        would have said.
        """
        self._connection.execute(
            round_.update()
            .where(round_.c.id == round_id, round_.c.lease_until > self._until(seconds))
            .values(lease_until=self._until(seconds))
        )

    def take(self, round_id: int, owner: str, seconds: float, *, is_gone: Callable[[str], bool]) -> Round:
        """Take the lease, with a new fence.

        Args:
            is_gone: Whether the process behind an owner is known to have died; its lease is free at once.

        Raises:
            RoundBusy: Somebody else holds it.
        """
        found = self.get(round_id)
        holder, until = found.lease_owner, found.lease_until
        if holder and until and holder != owner and until > self._now and not is_gone(holder):
            raise RoundBusy(
                f"Round {found.number} is being worked on by {holder}, whose lease runs until "
                f"{until:%H:%M:%S} UTC and is renewed while it lives. Wait for it, or type "
                "`workbench round resume` after that time; `workbench round show` says who holds it."
            )
        changed = self._connection.execute(
            round_.update()
            .where(round_.c.id == round_id, round_.c.fence == found.fence)
            .values(lease_owner=owner, lease_until=self._until(seconds), fence=found.fence + 1, progress=None)
        )
        if changed.rowcount != 1:
            raise RoundBusy(f"Round {found.number} has just been taken by another process. Try again.")
        if holder and holder != owner:
            why = "which has died" if until and until > self._now else "which did not renew its lease"
            self._note(found, "taken-over", f"{owner} goes on in place of {holder}, {why}")
        if found.state is RoundState.FAILED:
            self._note(found, "resumed", f"It goes on from '{found.position}', where it had failed")
        return self.get(round_id)

    def renew(self, held: Round, seconds: float) -> None:
        """Hold the lease longer.

        Raises:
            RoundBusy: It was lost.
        """
        self._write(held, lease_until=self._until(seconds))

    def tell(self, held: Round, words: str, done: int, total: int) -> None:
        """Say how far the work on a round has come. Written over what was said before: nothing grows.

        Raises:
            RoundBusy: The lease was lost.
        """
        said = {"words": words, "done": done, "total": total, "at": self._now.isoformat()}
        self._write(held, progress=said)

    def tell_nothing(self, held: Round) -> None:
        """Nothing is under way that can be told."""
        self._write(held, progress=None)

    def hold(self, held: Round) -> None:
        """Make sure, inside a transaction that writes for a round, that its lease was not lost.

        Raises:
            RoundBusy: It was; the transaction is rolled back.
        """
        self._write(held)

    def release(self, held: Round) -> None:
        """Give the lease back."""
        self._write(held, **FREE)

    def move(self, held: Round, target: RoundState, *, words: str | None = None, **changes: Any) -> Round:
        """Go on to the next state, under the lease, and say so in the audit trail.

        Raises:
            RoundProblem: The move is not allowed.
            RoundBusy: The lease was lost.
        """
        check_move(self._mine(held).position, target)
        freed = FREE if target in FINISHED else {"progress": None}
        self._write(held, state=target, failed_from=None, error=None, **freed, **changes)
        self._note(held, target, words or WORDS.get(target, ""))
        return self.get(held.id)

    def rescore(self, held: Round) -> Round:
        """Go back to planned, because scores were lost before anything was chosen from them.

        Raises:
            RoundProblem: It is too late, or too early, for that.
        """
        check_rescore(self._mine(held).position)
        self._write(held, state=RoundState.PLANNED, failed_from=None, error=None, scoring_run_id=None)
        return self.get(held.id)

    def fail(self, held: Round, error: str) -> None:
        """Record where and why a step failed."""
        position = self.get(held.id).position
        self._write(held, state=RoundState.FAILED, failed_from=position, error=error)

    def recover(self, held: Round) -> Round:
        """Put a failed round back into the state it failed in, when what failed is mended."""
        self._write(held, state=self.get(held.id).position, failed_from=None, error=None)
        return self.get(held.id)

    def cancel(self, held: Round) -> None:
        """Give the round up.

        Raises:
            RoundProblem: It is too late for that.
        """
        check_cancel(self._mine(held))
        self._write(held, state=RoundState.CANCELLED, failed_from=None, **FREE)

    def _note(self, current: Round, kind: str, message: str) -> None:
        facts = {"project_id": current.project_id, "round_id": current.id, "at": self._now}
        insert_one(self._connection, event, **facts, kind=kind, message=message, actor=self._actor)

    def _mine(self, held: Round) -> Round:
        """The round as it is now, unless another process has moved it on: then its state is none of ours."""
        found = self.get(held.id)
        if found.fence != held.fence:
            raise overtaken(held)
        return found

    def _write(self, held: Round, **values: Any) -> None:
        changed = self._connection.execute(
            round_.update()
            .where(round_.c.id == held.id, round_.c.fence == held.fence)
            .values(updated_at=self._now, **values)
        )
        if changed.rowcount != 1:
            raise overtaken(held)
        if "state" in values:
            note_round(self._connection, self._now, held.id)

    def _until(self, seconds: float) -> datetime:
        return self._now + timedelta(seconds=seconds)


def _round(row: Any) -> Round:
    return Round(
        id=row.id,
        project_id=row.project_id,
        number=row.number,
        state=RoundState(row.state),
        failed_from=RoundState(row.failed_from) if row.failed_from else None,
        batch_size=row.batch_size,
        seed=row.seed,
        strategy=row.strategy,
        scoring_run_id=row.scoring_run_id,
        model_run_id=row.model_run_id,
        fence=row.fence,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        error=row.error,
        created_at=row.created_at,
        released_at=row.released_at,
        pool_size=row.pool_size,
        advance=_advance(row.progress),
    )


def _advance(said: Mapping[str, Any] | None) -> Advance | None:
    return Advance(**{**said, "at": datetime.fromisoformat(said["at"])}) if said else None
