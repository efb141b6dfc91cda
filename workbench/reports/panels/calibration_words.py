"""What findings about calibration mean, in sentences; and the few numbers that are made from them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import bdtr

from workbench.domain.intervals import Z, wilson
from workbench.reports.panel import Finding, Tone
from workbench.reports.statistics.ranks import area_interval
from workbench.reports.units import Unit
from workbench.reports.words import count, in_words, interval

#: Above it chance alone makes such an error in at most one of twenty perfectly calibrated models.
ALPHA = 0.05
#: A model is called calibrated only where an error beyond this would have been seen.
TOLERANCE = 0.05
#: The share of the most wanted items that two draws should have in common.
AGREEMENT = 0.9

ECE = (
    "Mean gap between confidence and accuracy, 15 bins of equal width. "
    "The floor is what 95 % of perfectly calibrated models stay below."
)
ECE_MASS = "The same in 15 bins of as many items each; the verdict is made with it."
OVERCONFIDENCE = "Mean confidence minus accuracy: above 0 the model is too sure, below 0 not sure enough."
BRIER = "Mean of Σ (p − truth)², 0 to 2. The floor is what these probabilities would give, were they true."
NLL = "Mean of −ln p(truth), in nats. The floor is what these probabilities would give, were they true."
AURC = (
    "Mean error rate over all coverages, surest first. The floor is that of a perfect order of these errors."
)
TEMPERATURE_USED = "Divides the logarithms of the probabilities before they are used; 1 changes nothing."
TEMPERATURE = "Of one half of the held-out items; above 1 makes less sure."


class Bin(NamedTuple):
    """Held-out items of similar confidence, and what a perfect model would show of so many."""

    confidence_from: float
    confidence_to: float
    n: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    perfect_low: float
    perfect_high: float


def is_measured(content: Mapping[str, Any]) -> bool:
    """Whether calibration could be measured."""
    return "ece_equal_mass" in content


def bins(content: Mapping[str, Any]) -> list[Bin]:
    """The bins of the reliability diagram.

    The band of a perfect model is that of a binomial share with the bin's mean confidence: a little wide
    where confidences in a bin differ. Bröcker and Smith 2007, https://doi.org/10.1175/WAF993.1.
    """
    found = []
    for low, high, n, confidence, accuracy, accuracy_low, accuracy_high in content["bins"]:
        below = bdtr(np.arange(n + 1), n, min(max(confidence, 0.0), 1.0))
        ends = (float(end) / n for end in np.searchsorted(below, [0.025, 0.975]))
        found.append(Bin(low, high, int(n), confidence, accuracy, accuracy_low, accuracy_high, *ends))
    return found


def perfect_risk(coverage: float, content: Mapping[str, Any]) -> float:
    """The risk of an order that has every error last."""
    right: float = 1 - content["wrong"] / content["n"]
    return max(0.0, coverage - right) / coverage


def agreement_ends(content: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Intervals of the agreements of two draws."""
    return [
        (
            max(0.0, row["overlap"] - Z * (row["overlap_error"] or 0.0)),
            min(1.0, row["overlap"] + Z * (row["overlap_error"] or 0.0)),
        )
        for row in content["rows"]
    ]


def short_verdict(content: Mapping[str, Any]) -> str:
    """Calibrated or how not, in a few words."""
    over, error = content["overconfidence"], content["ece_equal_mass"]
    low, high = over["low"], over["high"]
    if error["p"] is not None and error["p"] <= ALPHA:
        if low is not None and low > 0:
            return "overconfident"
        return "underconfident" if high is not None and high < 0 else "not calibrated"
    narrow = low is not None and high is not None and low >= -TOLERANCE and high <= TOLERANCE
    close = narrow and error["floor_high"] <= TOLERANCE and _surely_right(content)
    return "calibrated" if close else "not shown"


def _surely_right(content: Mapping[str, Any]) -> bool:
    """Whether accuracy is surely near the confidence, also where all are right and nothing varies."""
    n = content["n"]
    least = wilson(n - content["wrong"], n).low
    return bool(content["confidence"] - least <= TOLERANCE)


def verdict(content: Mapping[str, Any]) -> Finding:
    """Whether the model is calibrated, in one sentence with its numbers."""
    n, found = content["n"], short_verdict(content)
    error = in_words(content["ece_equal_mass"]["value"], Unit.SHARE)
    floor = in_words(content["ece_equal_mass"]["floor_high"], Unit.SHARE)
    over = content["overconfidence"]
    gap = interval(over["value"], over["low"], over["high"], Unit.POINTS)
    items = count(n, "held-out item")
    floors = f"what a perfectly calibrated model shows on {items} (up to {floor})"
    within = f"its calibration error of {error} is {floors}"
    if found == "calibrated":
        return Finding(f"The model is calibrated: {within}; confidence minus accuracy is {gap}.", Tone.GOOD)
    if found == "not shown":
        return Finding(
            f"Whether the model is calibrated is not shown: {within}, and so few items can hide an error of "
            f"{in_words(TOLERANCE, Unit.SHARE)}; confidence minus accuracy is {gap}.",
            Tone.UNKNOWN,
        )
    how = {
        "overconfident": "it is overconfident",
        "underconfident": "it is not confident enough",
        "not calibrated": "it is too sure of some items and not sure enough of others",
    }[found]
    return Finding(
        f"The model is not calibrated: {how}, confidence minus accuracy is {gap}. Its calibration error "
        f"is {error}; a perfectly calibrated model stays below {floor} on {items}.",
        Tone.BAD,
    )


def ranking(content: Mapping[str, Any]) -> Finding:
    """Whether the acquisition score finds errors."""
    wrong, n = content["wrong"], content["n"]
    if not content.get("ranking"):
        which = "right" if wrong == 0 else "wrong"
        return unknown(
            f"Whether doubts find errors is not shown: all {count(n, 'held-out item')} are predicted {which}."
        )
    area = content["ranking"]["mutual_information"]
    ends = area_interval(area, wrong, n - wrong)
    numbers = interval(area, *ends, Unit.SHARE)
    said = (
        f"an item that is wrong has more mutual information than one that is right with a chance of {numbers}"
    )
    told = f"50 % would be blind; {wrong} of {n} are wrong"
    if ends.low > 0.5:
        return Finding(f"Doubts find errors: {said} ({told}).", Tone.GOOD)
    if ends.high < 0.5:
        return Finding(f"Doubts miss errors: {said} ({told}).", Tone.BAD)
    return unknown(f"Whether doubts find errors is not shown: {said} ({told}).")


def temperature(content: Mapping[str, Any]) -> Finding:
    """Whether another temperature would help."""
    found = content["temperature"]
    used = in_words(found["used"], Unit.NUMBER)
    if "best" not in found:
        return unknown(
            f"The temperature in use is {used}; none could be fitted: {found.get('missing', 'no items')}"
        )
    change = found["change"]
    numbers = interval(change["value"], change["low"], change["high"], Unit.NATS)
    begin = (
        f"The temperature in use is {used}; {in_words(found['best'], Unit.NUMBER)} fits one half of the "
        f"held-out items best and changes the loss on the other half by {numbers}"
    )
    if change["high"] is not None and change["high"] < 0:
        return Finding(f"{begin}: it helps.", Tone.WARNING)
    return Finding(f"{begin}: that it helps is not shown.", Tone.NEUTRAL)


def samples(content: Mapping[str, Any]) -> Finding:
    """Which number of posterior samples is enough."""
    used, top = content["used"], content["top"]
    rows = {row["n_samples"]: row for row in content["rows"]}
    at_use = rows.get(used) or content["rows"][-1]
    agreed = (
        f"two draws of {at_use['n_samples']} posterior samples agree on "
        f"{in_words(at_use['overlap'], Unit.SHARE)} of the {top} most wanted of "
        f"{count(content['items'], 'pool item')}"
    )
    asked = in_words(AGREEMENT, Unit.SHARE)
    enough = content["enough"]
    if enough is not None and enough <= used:
        return Finding(f"{used} samples are enough: {agreed}; {asked} is reached with {enough}.", Tone.GOOD)
    need = str(enough) if enough is not None else f"about {samples_needed(content)}, by the square-root law,"
    return Finding(
        f"{used} samples leave the order noisy: {agreed}; {asked} would take {need} ([posterior] samples).",
        Tone.WARNING,
    )


def samples_needed(content: Mapping[str, Any]) -> int:
    """Continue the last agreement: what two draws do not share falls with the square root of their size."""
    last = content["rows"][-1]
    needed = last["n_samples"] * ((1 - last["overlap"]) / (1 - AGREEMENT)) ** 2
    return int(round(needed, -1)) if needed >= 100 else int(needed) + 1


def unknown(text: str) -> Finding:
    """A finding that the data does not show."""
    return Finding(text, Tone.UNKNOWN)
