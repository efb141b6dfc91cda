"""How far annotators agree beyond chance."""

from typing import NamedTuple


class Agreement(NamedTuple):
    """A coefficient with its 95 % interval: 1 is perfect, 0 is what chance gives.

    ``n`` counts items that at least two people answered. The value is None where there is nothing to
    compare, or where everybody always gave one and the same answer: chance alone explains that.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class PairAgreement(NamedTuple):
    """Two people's kappa."""

    first: str
    second: str
    kappa: Agreement
