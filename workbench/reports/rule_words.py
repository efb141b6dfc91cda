"""What stopping rules are and what they found, so said that each can be read alone, in the house's units."""

from collections.abc import Callable
from typing import NamedTuple

from workbench.reports.stopping_record import Judged, Says
from workbench.reports.units import Unit
from workbench.reports.words import in_words


class Sentences(NamedTuple):
    """A rule stated, with its threshold, and what it found, with its value; and how both numbers are said."""

    stated: str
    found: str
    number: Callable[[float], str]


def _share(value: float) -> str:
    return in_words(value, Unit.SHARE)


def _nats(value: float) -> str:
    return in_words(value, Unit.NATS)


def _points(value: float) -> str:
    return f"{value * 100:.2g} pp"


#: What a rule says of its threshold where that follows from the price of a label, and how it is told.
HUNDRED, WHY = "for 100 labels", ", so less than a point for the price of 100 labels"
RULES = {
    "classification_change": Sentences(
        "Stop when no more than {} of the predictions for unlabeled items change from round to round.",
        "{} of the predictions for unlabeled items changed in the newest round.",
        _share,
    ),
    "kappa": Sentences(
        "Stop when the newest two models agree on unlabeled items with a kappa of {} or more.",
        "The newest two models agree on unlabeled items with a kappa of {}; 1 is perfect.",
        "{:.2f}".format,
    ),
    "stabilizing_predictions": Sentences(
        "Stop when neighbouring models agree on unlabeled items with a kappa of {} or more on average.",
        "Over the last rounds neighbouring models agree with a kappa of {} on average; 1 is perfect.",
        "{:.2f}".format,
    ),
    "overall_uncertainty": Sentences(
        "Stop when the mean entropy of predictions for unlabeled items is below {}.",
        "The mean entropy of predictions for unlabeled items is {}.",
        _nats,
    ),
    "plateau": Sentences(
        "Stop when the accuracy of the last rounds rises by at most {} of its standard errors.",
        "The accuracy of the last rounds rises by {} of its standard errors.",
        "{:.1f}".format,
    ),
    "expected_gain": Sentences(
        "Stop when the next batch is expected to bring less than {} per UNITWHY.",
        "By a power law alone the next batch should bring {} per UNIT.",
        _points,
    ),
}


def told(one: Judged, currency: str = "") -> Judged:
    """The same verdict told in full; as it was kept where the rule is not known here."""
    sentences = RULES.get(one.rule)
    if sentences is None or one.threshold is None:
        return one
    unit = (currency or "unit of money") if "cost" in one.stated else "label"
    # Rounds of older versions were held against a hundredth of a point for one unit of any currency.
    why = WHY if HUNDRED in one.stated else ""
    stated = sentences.stated.format(sentences.number(one.threshold))
    stated = stated.replace("UNIT", unit).replace("WHY", why)
    if one.says is Says.UNKNOWN or one.value is None:
        why = one.reason.removeprefix("Not enough evidence: ")
        return one._replace(stated=stated, reason=why[:1].upper() + why[1:])
    reason = sentences.found.format(sentences.number(one.value)).replace("UNIT", unit)
    return one._replace(stated=stated, reason=reason)
