"""What the next labels would buy, batch by batch."""

import numpy as np

from workbench.reports.outlook import LEVEL, Outlook
from workbench.reports.statistics.purchase import Purchase, purchase_of

#: The purchases that are looked at, in batches.
BATCHES = (1, 2, 5, 10)


def purchases(outlook: Outlook, wanted: int | None = None) -> list[Purchase]:
    """So many labels as are asked for first, then the next batches; no more than the pool can give."""
    left = outlook.left
    if outlook.trusted is None or not left:
        return []
    counts = [count for batches in BATCHES if (count := batches * outlook.batch) <= left] or [left]
    if wanted is not None and wanted > 0:
        first = min(wanted, left)
        counts = [first, *(count for count in counts if count != first)]
    now_D, *then = outlook.trusted.at([outlook.labels, *(outlook.labels + count for count in counts)]).T
    return [
        purchase_of(now_D, then_D, count, _price(outlook, count), LEVEL)
        for then_D, count in zip(then, counts, strict=True)
    ]


def purchase(outlook: Outlook, labels: int) -> Purchase | None:
    """What so many more labels would buy; None where no curve can be trusted, or the pool is used up."""
    return next(iter(purchases(outlook, labels)), None)


def _price(outlook: Outlook, labels: int) -> float | None:
    taken = outlook.taken(labels)
    return None if taken is None else float(np.median(taken.cost_D))
