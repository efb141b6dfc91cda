"""How sure the labels are, how many answers are wrong, and which items deserve a second look."""

from workbench.reports.crowd import voted
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.panels import label_quality_charts as charts
from workbench.reports.panels import label_quality_rows as rows
from workbench.reports.panels import label_quality_words as words
from workbench.storage.facts.facts import Facts


class LabelQuality:
    """The labels: consensus, noise, suspected errors, and what waits for a ruling."""

    name = "label_quality"
    title = "Label quality"
    sentence = "How sure the labels are, how many answers are wrong, and what deserves a second look."

    def read(self, facts: Facts, view: View) -> Reading:
        """Read labels and answers once, and count."""
        methods, queue = rows.method_rows(facts), facts.labels.queue()
        _, votes, judgements = facts.once(voted)
        sure, hard = rows.confidence_rows(facts), rows.difficulty_rows(facts, votes)
        corrected = rows.correction_rows(facts)
        tables = (
            Table(
                name="label_quality",
                title="How sure the labels are",
                row=rows.Row,
                rows=methods,
                empty="No label yet.",
            ),
            Table(
                name="second_look",
                title="Most worth a second look",
                row=rows.DoubtRow,
                rows=rows.doubt_rows(facts),
                empty="No label is in doubt.",
            ),
            Table(
                name="label_quality_queue",
                title="Adjudication queue",
                row=rows.QueueRow,
                rows=rows.queue_rows(facts, queue),
                empty="Nothing was put into the queue.",
            ),
            Table(
                name="label_quality_confidence",
                title="Agreed labels by confidence",
                row=rows.ConfidenceRow,
                rows=sure,
                empty="No agreed label yet.",
            ),
            Table(
                name="label_quality_difficulty",
                title="Disagreement by difficulty",
                row=rows.DifficultyRow,
                rows=hard,
                empty="Nobody shares an item that a model chose.",
            ),
            Table(
                name="label_quality_corrections",
                title="Corrections over time",
                row=rows.CorrectionRow,
                rows=corrected,
                empty="No label was corrected.",
            ),
        )
        if not methods:
            nothing = "There is no label yet: `workbench round tell` brings answers in."
            return Reading(findings=(Finding(nothing, Tone.UNKNOWN),), tables=tables)
        return Reading(
            findings=(
                *words.noise(votes, judgements, len(facts.project.classes)),
                *words.labels(methods),
                *words.queue(queue),
                *words.difficulty(hard),
                *words.corrections(corrected),
            ),
            tables=tables,
            charts=(*charts.confidence(sure), *charts.difficulty(hard), *charts.corrections(corrected)),
        )
