"""Did choosing beat drawing at random, by how many labels, and how sure is that."""

from collections.abc import Sequence
from typing import NamedTuple

from workbench.reports.against import Pair, pair
from workbench.reports.apart import NOT_SHOWN, TWO_SAMPLES, Apart, apart
from workbench.reports.arms import Sides, side_by_side
from workbench.reports.bought import random_by_round
from workbench.reports.older import NOT_KEPT
from workbench.reports.outlook import accuracies
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.saved import Measures, Saved, caveats, savings
from workbench.reports.savings_charts import apart_chart, unbiased_chart
from workbench.reports.unbiased import ALL, LURE, RANDOM_SHARE, Unbiased, from_chosen, from_random
from workbench.reports.units import Unit
from workbench.reports.unmeasured import unmeasured
from workbench.reports.words import count, in_words, interval
from workbench.storage.facts.facts import Facts

LEVEL = 0.95
#: Chosen items that are weighed at most: those of the newest rounds, so that a page stays quick.
MOST_PICKS = 3_000


class Savings:
    """Choosing against random."""

    name = "savings"
    title = "Savings"
    sentence = "Whether choosing beat drawing at random, by how many labels, and how sure that is."

    def read(self, facts: Facts, view: View) -> Reading:
        """Compare the arms on the same held-out items; and the models on the pool, without held-out items."""
        metrics = facts.points.metrics()
        sides = side_by_side(facts.predictions.hits())
        compared = _compare(facts, sides)
        rounds = apart(sides, accuracies(facts), random_by_round(metrics), LEVEL)
        unbiased = [
            *from_random(metrics, LEVEL),
            *from_chosen(facts.predictions.drawn(MOST_PICKS), LEVEL),
        ]
        tables = _tables(compared.rows, rounds, unbiased)
        charts = [*apart_chart(rounds), *unbiased_chart(unbiased)]
        findings = [*compared.findings, *_by_round(rounds), *_pool(unbiased)]
        return Reading(findings=tuple(findings), tables=tables, charts=tuple(charts))


def _compare(facts: Facts, sides: Sides | None) -> Measures:
    found = _paired(facts, sides)
    if isinstance(found, str):
        return Measures([], [Finding(f"Savings are not shown: {found}.", Tone.UNKNOWN)])
    both = savings(found, facts.terms.now().target, LEVEL)
    if isinstance(both, str):
        return Measures([], [Finding(f"Savings are not shown: {both}.", Tone.UNKNOWN)])
    assert sides is not None
    return Measures(both.rows, [*both.findings, *caveats(found, sides.left_out)])


def _paired(facts: Facts, sides: Sides | None) -> Pair | str:
    if sides is None:
        return _no_predictions(facts)
    found = pair(sides, facts.project.seed)
    if isinstance(found, str) and sides.random is None and sides.control is None:
        return _no_control(facts) or found
    return found


class _Lack(NamedTuple):
    labels: int
    least: int


def _no_control(facts: Facts) -> str | None:
    newest = facts.diagnostics.newest("control_model")
    if newest is None:
        return None
    if newest.content.get("state") != "too few":
        problem = newest.content.get("problem")
        return f"the model of the random share could not be trained: {problem}" if problem else None
    lack = _Lack(int(newest.content.get("labels", 0)), int(newest.content.get("least", 0)))
    return (
        f"the random share has {count(lack.labels, 'label')}, and a model of it needs {lack.least}; three "
        "such models make a curve to compare with"
    )


def _no_predictions(facts: Facts) -> str:
    measured = [point for point in accuracies(facts) if point.value is not None]
    if not measured:
        return unmeasured(facts)
    if any(metric.split == "test" for _, metric in facts.points.metrics()):
        return NOT_KEPT
    return "there are no held-out items; `workbench pool add PATH --label COLUMN --test-share 0.2` adds some"


def _tables(
    saved: Sequence[Saved], rounds: Sequence[Apart], unbiased: Sequence[Unbiased]
) -> tuple[Table, ...]:
    return (
        Table(name="savings", title="What choosing saved", row=Saved, rows=saved, empty="Not shown yet."),
        Table(
            name="savings_by_round",
            title="Choosing minus random at equal labels",
            row=Apart,
            rows=rounds,
            empty="There is no random arm with as many labels: it needs a pool whose truth is known.",
        ),
        Table(
            name="savings_unbiased",
            title="Accuracy on the pool itself, without held-out items",
            row=Unbiased,
            rows=unbiased,
            empty="No random pick and no pick of known chance is labeled yet.",
        ),
    )


def _by_round(rounds: Sequence[Apart]) -> list[Finding]:
    if not rounds:
        return []
    last = rounds[-1]
    said = interval(last.difference, last.low, last.high, Unit.POINTS, n=last.n)
    words = f"In round {last.round}, with {count(last.labels, 'label')} each, the difference is {said}"
    ahead = "; a difference is not shown" if last.verdict == NOT_SHOWN else f": {last.verdict}"
    found = [Finding(f"{words}{ahead}.")]
    if all(row.by == TWO_SAMPLES for row in rounds):
        words = (
            "Without predictions item by item the intervals by round take both arms for separate samples: "
        )
        words += "they are wider than need be."
        found.append(Finding(words))
    elif len(rounds) > 1:
        shown = sum(row.verdict != NOT_SHOWN for row in rounds)
        words = (
            f"The two models of a round surely differ in {shown} of {count(len(rounds), 'round')}: that may "
        )
        words += "be the luck of their batches and training, and alone shows nothing of choosing."
        found.append(Finding(words))
    return found


def _pool(unbiased: Sequence[Unbiased]) -> list[Finding]:
    """One sentence a method, of all of its rounds."""
    methods = ((LURE, "chosen items, each weighed by its chance"), (RANDOM_SHARE, "random picks"))
    found = []
    for method, words in methods:
        rows = [row for row in unbiased if row.method == method]
        if rows:
            whole = next((row for row in rows if row.rounds == ALL), rows[-1])
            found.append(_on_pool(whole, f"{in_words(whole.n, Unit.COUNT)} {words}"))
    return found


def _on_pool(row: Unbiased, by: str) -> Finding:
    if row.accuracy is None:
        share = in_words(row.represented, Unit.SHARE, n=row.n)
        why = f"they stand for {share} of it; the rest was too unlikely to be drawn"
        if row.represented > 1:
            why = "one that was hardly likely to be drawn weighs more than all others"
        return Finding(f"Not shown: the accuracy on the pool by {by}, as {why}.", Tone.UNKNOWN)
    said = interval(row.accuracy, row.low, row.high, Unit.SHARE, n=row.n)
    of = "in the mean of its rounds" if row.rounds == ALL else f"in round {row.rounds}"
    return Finding(f"On the pool, by {by}: {said} right, {of}, before the model learnt from them.")
