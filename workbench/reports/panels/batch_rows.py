"""Rows of the batch panel."""

from dataclasses import dataclass

from workbench.reports.units import Count, ItemKey, Nats, RoundNumber, Seconds, Share, Time


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An item of the batch, most wanted first: why it was chosen, and what has become of it."""

    rank: Count
    item: ItemKey
    reason: str
    score: float | None
    predictive_entropy: Nats | None
    expected_entropy: Nats | None
    mutual_information: Nats | None
    predicted: str | None
    confidence: Share | None
    propensity: float | None
    proposal: float | None
    neighbour: ItemKey | None
    neighbour_distance: float | None
    redundancy: float | None
    task: str | None
    label: str | None
    answers: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """How many items were chosen for one reason."""

    reason: str
    n: Count
    share: Share
    mutual_information: Nats | None
    predictive_entropy: Nats | None
    redundancy: float | None
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """The order in which items were answered, against the one that was intended."""

    round: RoundNumber
    answered: Count
    n: Count
    correlation: float | None
    correlation_low: float | None
    correlation_high: float | None
    out_of_place: Count
    first_answer: Time
    last_answer: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """One round: its batch, the states of its tasks, and where its time went."""

    round: RoundNumber
    state: str
    chosen_by: str
    batch: Count
    random: Count
    labeled: Count
    skipped: Count
    invalid: Count
    open: Count
    gone: Count
    error: str | None
    scoring_seconds: Seconds
    choosing_seconds: Seconds
    sending_seconds: Seconds
    labeling_seconds: Seconds
    training_seconds: Seconds
    measuring_seconds: Seconds
    failed_seconds: Seconds
