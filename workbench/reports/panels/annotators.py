"""Who annotated how much, how right, how steadily, and whether seeing the model's answer changes theirs."""

from workbench.reports.crowd import voted
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.panels import annotators_anchoring as anchoring
from workbench.reports.panels import annotators_charts as charts
from workbench.reports.panels import annotators_quality as quality
from workbench.reports.panels import annotators_words as words
from workbench.reports.panels import annotators_work as work
from workbench.storage.facts.facts import Facts


class Annotators:
    """The people who label: throughput, agreement, drift, and what pre-annotation does."""

    name = "annotators"
    title = "Annotators"
    sentence = "How much each annotator did, how long it took, how right and how steady they are."

    def read(self, facts: Facts, view: View) -> Reading:
        """Read everybody's annotations once, and count."""
        opinions, votes, judgements = facts.once(voted)
        people = work.rows(facts)
        right = quality.quality_rows(facts, votes, judgements)
        pairs = quality.agreement_rows(facts, votes)
        drift = quality.drift_rows(facts, votes, judgements)
        shown = anchoring.rows(facts, opinions)
        tables = (
            Table(
                name="annotators",
                title="Annotators",
                row=work.Row,
                rows=people,
                empty="Nobody has annotated yet.",
            ),
            Table(
                name="annotator_quality",
                title="How right annotators are",
                row=quality.QualityRow,
                rows=right,
                empty="No valid answer yet.",
            ),
            Table(
                name="agreement",
                title="Agreement beyond chance",
                row=quality.AgreementRow,
                rows=pairs,
                empty="Nobody shares an item yet.",
            ),
            Table(
                name="annotators_drift",
                title="Right answers over time",
                row=quality.DriftRow,
                rows=drift,
                empty="No answer can be judged yet.",
            ),
            Table(
                name="anchoring",
                title="What showing the model's answer does",
                row=anchoring.Row,
                rows=shown,
                empty="No task was blind yet.",
            ),
        )
        if not people:
            nothing = "Nobody has annotated yet: `workbench round ask` brings items to annotators."
            return Reading(findings=(Finding(nothing, Tone.UNKNOWN),), tables=tables)
        return Reading(
            findings=(
                *words.dissent(right),
                *words.work(people),
                *words.agreement(pairs),
                *words.drift(right),
                *map(anchoring.finding, shown),
            ),
            tables=tables,
            charts=(
                *charts.right(right),
                *charts.seconds(people),
                *charts.drift(drift, right),
                *charts.kappa(pairs),
                *map(anchoring.chart, shown),
            ),
        )
