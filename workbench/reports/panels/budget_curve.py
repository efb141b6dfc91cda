"""What the labels bought so far, beside random, the target and all labels at once."""

from workbench.reports.bought import Beside, Bought, Row, bought
from workbench.reports.bought_charts import accuracy_of, charts_of
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.units import Unit
from workbench.reports.unmeasured import unmeasured
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.facts import Facts


class BudgetCurve:
    """The curve of accuracy against labels, money and time."""

    name = "budget_curve"
    title = "Budget curve"
    sentence = "What the labels bought so far: accuracy against labels, money and annotators' time."

    def read(self, facts: Facts, view: View) -> Reading:
        """Budget points beside what was measured for comparison."""
        read = bought(facts)
        by_round = Table(
            name=self.name,
            title="Spent and bought, round by round",
            row=Row,
            rows=read.rows,
            empty="No round is closed yet.",
        )
        beside = Table(
            name=f"{self.name}_beside",
            title="Models to compare with, on the same held-out items",
            row=Beside,
            rows=read.beside,
            empty="No model of the random share alone or of all labels was trained.",
        )
        why = "" if read.rows and read.rows[-1].accuracy is not None else unmeasured(facts)
        return Reading(
            findings=tuple(_findings(read, why)),
            tables=(by_round, beside),
            charts=tuple(charts_of(read)),
        )


def _findings(read: Bought, why: str) -> list[Finding]:
    if not read.rows:
        return [Finding(f"Nothing is measured yet: {why}.", Tone.UNKNOWN)]
    last = read.rows[-1]
    if last.accuracy is None:
        words = f"Spent so far: {_spent(read, last)}. Accuracy is not shown: {why}."
        return [Finding(words, Tone.UNKNOWN)]
    words = f"{_spent(read, last)} bought an accuracy of {accuracy_of(last)} on {read.measured_on}."
    return [Finding(words), *_target(read, last), *_random(read), *_ceiling(read, last)]


def _spent(read: Bought, row: Row) -> str:
    money = in_words(row.cost, Unit.MONEY, currency=read.currency)
    hours = in_words(row.seconds, Unit.SECONDS)
    labels, annotations = count(row.labels, "label"), count(row.annotations, "annotation")
    return f"{labels} from {annotations}, {money} and {hours} of annotators"


def _target(read: Bought, last: Row) -> list[Finding]:
    if read.target is None or last.accuracy_low is None or last.accuracy_high is None:
        return []
    target = in_words(read.target, Unit.SHARE)
    if last.accuracy_low >= read.target:
        first = next(row for row in read.measured if (row.accuracy_low or 0.0) >= read.target)
        words = f"The target of {target} is reached: the whole interval lies above it, first in round "
        return [Finding(f"{words}{first.round} with {count(first.labels, 'label')}.", Tone.GOOD)]
    if last.accuracy_high < read.target:
        return [Finding(f"The target of {target} is not reached: the whole interval lies below it.")]
    words = f"Whether the target of {target} is reached is not shown: the interval covers it."
    return [Finding(words, Tone.UNKNOWN)]


def _random(read: Bought) -> list[Finding]:
    if not read.random:
        return []
    row = read.random[-1]
    words = interval(row.control_accuracy, row.control_low, row.control_high, Unit.SHARE, n=row.n)
    return [Finding(f"As many labels of items drawn at random bought {words}; Savings says what that means.")]


def _ceiling(read: Bought, last: Row) -> list[Finding]:
    top = read.ceiling
    if top is None or last.accuracy is None:
        return []
    left = in_words(top.accuracy - last.accuracy, Unit.POINTS, n=top.n)
    words = interval(top.accuracy, top.low, top.high, Unit.SHARE, n=top.n)
    return [Finding(f"All {count(top.labels, 'label')} of the pool would have bought {words}: {left}.")]
