"""Whether the numbers can be trusted: leaks, differences, open ends, versions, hashes, and the trail."""

from collections.abc import Sequence

from workbench.reports.older import as_they_stood
from workbench.reports.panel import Finding, Reading, Table, Tone, View
from workbench.reports.panels import integrity_rows as rows
from workbench.storage.facts.facts import Facts


class Integrity:
    """What was checked, with what everything was made, and who did what."""

    name = "integrity"
    title = "Integrity"
    sentence = "Whether the numbers can be trusted: leaks, differences, versions, hashes, and who did what."

    def read(self, facts: Facts, view: View) -> Reading:
        """Check, and list."""
        checks = rows.check_rows(facts)
        tables = (
            Table(name="integrity", title="Checks", row=rows.Row, rows=checks),
            Table(
                name="attention",
                title="Needs attention",
                row=rows.MatterRow,
                rows=rows.matter_rows(facts),
                empty="Nothing needs attention.",
            ),
            Table(
                name="integrity_environment",
                title="Made with",
                row=rows.EnvironmentRow,
                rows=rows.environment_rows(facts),
            ),
            Table(
                name="integrity_counts",
                title="How much there is",
                row=rows.CountRow,
                rows=rows.count_rows(facts),
            ),
            Table(
                name="integrity_trail",
                title="Audit trail, newest first",
                row=rows.EventRow,
                rows=rows.event_rows(facts),
                empty="Nothing has happened yet.",
            ),
        )
        return Reading(findings=(_summary(checks), *_details(checks), *as_they_stood(facts)), tables=tables)


def _summary(checks: Sequence[rows.Row]) -> Finding:
    wrong = [row for row in checks if row.state == rows.WRONG]
    unknown = [row for row in checks if row.state == rows.UNKNOWN]
    if wrong:
        return Finding(f"Not in order: {'; '.join(f'{row.check}: {row.found}' for row in wrong)}.", Tone.BAD)
    if unknown:
        words = f"Nothing is known to be out of order; not known: {'; '.join(row.check for row in unknown)}."
        return Finding(words, Tone.UNKNOWN)
    return Finding("Nothing is out of order.", Tone.GOOD)


def _details(checks: Sequence[rows.Row]) -> list[Finding]:
    return [Finding(row.words, rows.tone_of(row)) for row in checks if row.state != rows.OK]
