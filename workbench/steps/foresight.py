"""When a round is closed, what was foreseen then is kept: a forecast, and what every stopping rule said.

Reports show them beside what came. Neither can fail a round: what can not be computed is kept in words.
"""

from math import isfinite
from typing import Any

import acquisition
from acquisition import AcquisitionError, History
from workbench.domain.records import BudgetPoint, Project
from workbench.domain.rounds import Round
from workbench.reports.kept_forecast import FORECAST, content_of
from workbench.reports.outlook import outlook_of
from workbench.reports.stopping_record import STOPPING, Judged, Says, kept
from workbench.steps.parts import Parts
from workbench.steps.stopping import Closing, history
from workbench.steps.unforeseen import UNFORESEEN, in_words
from workbench.storage.store import Transaction


def stopping_of(parts: Parts, held: Round, point: BudgetPoint) -> dict[str, Any]:
    """Ask every stopping rule, the round that is being closed included; reads files, so in no transaction."""
    rules = acquisition.catalog()["stopping_rules"]
    try:
        return asked(history(parts, Closing(held, point)))
    except UNFORESEEN as error:
        return {"rules": [kept(_silent(rule, rules[rule], error)) for rule in rules]}


def asked(told: History) -> dict[str, Any]:
    """Ask every stopping rule."""
    rules = acquisition.catalog()["stopping_rules"]
    return {"rules": [kept(_asked(rule, rules[rule], told)) for rule in rules]}


def _asked(rule: str, sentence: str, told: History) -> Judged:
    try:
        verdict = acquisition.stop(rule, told)
    except (AcquisitionError, *UNFORESEEN) as error:
        return _silent(rule, sentence, error)
    known = isfinite(verdict.value)
    stated, _, reason = verdict.reason.partition(". ")
    return Judged(
        rule=rule,
        stated=f"{stated.removesuffix('.')}.",
        value=round(verdict.value, 9) if known else None,
        threshold=verdict.threshold,
        says=Says.UNKNOWN if not known else Says.STOP if verdict.stop else Says.GO_ON,
        reason=reason,
    )


def _silent(rule: str, sentence: str, error: Exception) -> Judged:
    return Judged(rule, sentence, None, None, Says.UNKNOWN, in_words(error))


def keep_foresight(tx: Transaction, project: Project, held: Round, stopping: dict[str, Any]) -> None:
    """Keep both in the transaction that closes the round, after its budget point was written."""
    try:
        # Of all rounds, those too that closed by a clock which was set back since.
        forecast = content_of(outlook_of(tx.facts(project, tx.latest)))
    except UNFORESEEN as error:
        forecast = {"problem": in_words(error)}
    tx.evidence.keep_diagnostic(project.id, FORECAST, forecast, round_id=held.id)
    tx.evidence.keep_diagnostic(project.id, STOPPING, stopping, round_id=held.id)
