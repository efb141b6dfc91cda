"""Stopping: every rule that has a say, side by side, each with itself stated."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.reports.chart import Axis, Chart, Line, Role
from workbench.reports.decision import Heard, heard, named, verb
from workbench.reports.kept_forecast import FORECAST
from workbench.reports.older import RULES_NOT_ASKED
from workbench.reports.outlook import LEVEL
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.stopping_record import Judged, Says
from workbench.reports.units import RoundNumber, Unit
from workbench.reports.words import count, in_words
from workbench.storage.facts.diagnostics import Diagnostic
from workbench.storage.facts.facts import Facts

HUNDRED = 100
NOT_ASKED = "No stopping rule was asked yet: that is done, and kept, whenever a round closes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A rule, what it says and why: stop, go on, or not enough evidence. ``round`` is when it was asked."""

    rule: str
    says: str
    stated: str
    reason: str
    value: float | None
    threshold: float | None
    round: RoundNumber | None


class Stopping:
    """Stopping rules, budget and deadline, side by side."""

    name = "stopping"
    title = "Stopping"
    sentence = "What each stopping rule, the budget and the deadline say, with the rule stated."

    def read(self, facts: Facts, view: View) -> Reading:
        """Show what was said when the newest round was closed, and what holds now."""
        asked = heard(facts)
        chart = _gain_chart(facts.diagnostics.all(FORECAST), facts.terms.now().currency)
        return Reading(
            findings=(*_findings(asked, closed=bool(facts.points.curve())),),
            tables=(
                Table(
                    name="stopping",
                    title="Every rule and what it says",
                    row=Row,
                    rows=_rows(asked),
                    empty="No round was closed yet.",
                ),
            ),
            charts=(chart,) if chart else (),
        )


def _rows(asked: Heard) -> list[Row]:
    kept = [_row(one, asked.round_number) for one in asked.rules]
    now = [_row(one, None) for one in (asked.worth, *asked.limits)]
    return [*kept, *now]


def _row(one: Judged, number: int | None) -> Row:
    return Row(
        rule=one.rule.replace("_", " "),
        says=str(one.says),
        stated=one.stated,
        reason=one.reason,
        value=one.value,
        threshold=one.threshold,
        round=number,
    )


def _findings(asked: Heard, *, closed: bool) -> list[Finding]:
    if not asked.rules:
        words = RULES_NOT_ASKED if closed else NOT_ASKED
        return [Finding(words, Tone.UNKNOWN), *_reached(asked.limits)]
    said = {says: [one.rule for one in asked.rules if one.says is says] for says in Says}
    parts = [f"{len(rules)} {verb(rules)} {says} ({named(rules)})" for says, rules in said.items() if rules]
    words = f"Of {count(len(asked.rules), 'stopping rule')}, {'; '.join(parts)}."
    agreed = bool(said[Says.STOP]) and not said[Says.GO_ON]
    split = bool(said[Says.STOP]) and bool(said[Says.GO_ON])
    tone = Tone.WARNING if split else Tone.GOOD if agreed else Tone.NEUTRAL
    tone = Tone.UNKNOWN if len(said[Says.UNKNOWN]) == len(asked.rules) else tone
    return [Finding(words, tone), *_reached(asked.limits)]


def _reached(limits: Sequence[Judged]) -> list[Finding]:
    return [Finding(f"{one.stated} {one.reason}", Tone.WARNING) for one in limits if one.says is Says.STOP]


def _gain_chart(kept: Sequence[Diagnostic], currency: str) -> Chart | None:
    """What the next batch was expected to bring for money, or per label, round by round."""
    rows = [(one.round_number, gain) for one in kept if (gain := one.content.get("gain")) is not None]
    if len(rows) < 2:
        return None
    paid = all(gain["cost"] for _, gain in rows)
    unit = f"{HUNDRED} {currency}" if paid else f"{HUNDRED} labels"
    scaled = [
        [gain[name] / (gain["cost"] if paid else gain["labels"]) * HUNDRED for _, gain in rows]
        for name in ("low", "expected", "high")
    ]
    first, last = (in_words(scaled[1][place], Unit.POINTS) for place in (0, -1))
    numbers = [number for number, _ in rows]
    return Chart(
        name="stopping_gain",
        title=f"Expected gain of the next batch per {unit}, by the forecast",
        summary=f"By the forecast {unit} were expected to bring {first} after round {numbers[0]}, {last} "
        f"after round {numbers[-1]}.",
        x=Axis(title="round", unit=Unit.ROUND),
        y=Axis(title=f"accuracy per {unit}", unit=Unit.POINTS, low=0.0),
        marks=(
            Line(
                name=f"expected, {in_words(LEVEL, Unit.SHARE, n=1)} interval",
                x=[float(number or 0) for number in numbers],
                y=scaled[1],
                low=scaled[0],
                high=scaled[2],
                role=Role.FORECAST,
            ),
        ),
    )
