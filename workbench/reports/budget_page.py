"""The budget as it stands: what holds, who says so, what is spent and promised. For people and forms."""

from dataclasses import dataclass
from datetime import datetime

from workbench.config.model import Config
from workbench.domain.budget import Spending, expected
from workbench.domain.pseudonyms import Names, open_names
from workbench.domain.records import Project
from workbench.domain.terms import CHANGEABLE
from workbench.steps.terms import in_force
from workbench.storage.store import Transaction

WORDS = {
    "max_labels": "Labels at most",
    "max_cost": "Money at most",
    "max_hours": "Hours of annotators at most",
    "target": "Accuracy that is wanted",
    "floor": "Recall below which a class lacks labels",
    "deadline": "Last day on which a round starts by itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRow:
    """One term of the budget.

    Attributes:
        key: What it is called in commands.
        words: What it is, for people.
        value: What holds; None where there is no limit or aim.
        file: What workbench.toml says.
        changed_by: Who changed it; None while the file's value holds.
    """

    key: str
    words: str
    value: float | int | str | None
    file: float | int | str | None
    changed_by: str | None
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPage:
    """What holds, and what is used of it."""

    currency: str
    terms: tuple[TermRow, ...]
    spent: Spending
    promised: Spending
    spent_cost: float
    promised_cost: float


def budget_page(tx: Transaction, project: Project, config: Config, names: Names = open_names) -> BudgetPage:
    """The budget now, all of one moment."""
    held, file = in_force(tx, project, config).content(), config.terms.content()
    changed = tx.terms.changed_by(project.id)
    prices = config.budget.prices
    spent = tx.results.spending(project.id)
    promised = expected(tx.wanted.promised(project.id, config.labeler.overlap), spent=spent, prices=prices)
    rows = (
        TermRow(
            key=key,
            words=WORDS[key],
            value=held[key],
            file=file[key],
            changed_by=names(changed[key].actor) if key in changed else None,
            changed_at=changed[key].at if key in changed else None,
        )
        for key in CHANGEABLE
    )
    return BudgetPage(
        currency=config.budget.currency,
        terms=tuple(rows),
        spent=spent,
        promised=promised,
        spent_cost=spent.cost(prices),
        promised_cost=promised.cost(prices),
    )
