"""What the next labels would buy, batch by batch."""

import numpy as np

from workbench.reports.outlook import LEVEL, Outlook
from workbench.reports.statistics.purchase import Purchase, purchase_of

#: The purchases that are looked at, in batches.
BATCHES = (1, 2, 5, 10)


def purchases(outlook: Outlook, wanted: int | None = None) -> list[Purchase]:
    """So many labels as are asked for first, then the next batches that the pool can give; none untrusted."""
    if outlook.trusted is None:
        return []
    left = int(outlook.most) - outlook.labels
    more = [count for batches in BATCHES if (count := batches * outlook.batch) <= left] or [outlook.batch]
    counts = (
        more if wanted is None or wanted <= 0 else [wanted, *(count for count in more if count != wanted)]
    )
    now_D, *then = outlook.trusted.at([outlook.labels, *(outlook.labels + count for count in counts)]).T
    return [
        purchase_of(now_D, then_D, count, _price(outlook, count), LEVEL)
        for then_D, count in zip(then, counts, strict=True)
    ]


def purchase(outlook: Outlook, labels: int) -> Purchase | None:
    """What so many more labels would buy; None where no curve can be trusted."""
    return next(iter(purchases(outlook, labels)), None)


def _price(outlook: Outlook, labels: int) -> float | None:
    taken = outlook.taken(labels)
    return None if taken is None else float(np.median(taken.cost_D))
