"""How far annotators agree beyond chance, all together and two by two."""

from dataclasses import dataclass

from workbench.domain.agreement import Agreement, krippendorff_alpha, pairwise_kappa
from workbench.domain.annotators import answers
from workbench.domain.records import Project
from workbench.storage.store import Transaction

NAME = "agreement"
TITLE = "Agreement beyond chance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Krippendorff's alpha of everybody, or Cohen's kappa of two; ``n`` items that they share."""

    measure: str
    first: str
    second: str
    value: float | None
    low: float | None
    high: float | None
    n: int


def rows(tx: Transaction, project: Project) -> list[Row]:
    """Alpha first, then every two people who share an item; nothing where nobody does."""
    items = answers(tx.crowd.all(project.id))
    alpha = krippendorff_alpha(items)
    if alpha.n == 0:
        return []
    pairs = [_row("kappa", pair.first, pair.second, pair.kappa) for pair in pairwise_kappa(items)]
    return [_row("alpha", "all", "", alpha), *pairs]


def _row(measure: str, first: str, second: str, found: Agreement) -> Row:
    return Row(
        measure=measure,
        first=first,
        second=second,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
    )
