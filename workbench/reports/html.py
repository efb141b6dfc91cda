"""The report as one HTML file: no script, no outside address, nothing to install."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jinja2

from workbench.domain.errors import ArtifactProblem
from workbench.domain.records import Project
from workbench.reports.catalog import Panel
from workbench.reports.figure import budget_curve_svg


def write_html(path: Path, project: Project, panels: Sequence[Panel], now: datetime, currency: str) -> None:
    """Write the report; names of items and people are escaped.

    Raises:
        ArtifactProblem: It can not be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("workbench.reports", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _cell
    by_name = {panel.name: panel for panel in panels}
    text = environment.get_template("report.html").render(
        project=project,
        panels=panels,
        last=by_name["budget_curve"].rows[-1] if by_name["budget_curve"].rows else None,
        verdict=by_name["verdict"].rows[-1] if by_name["verdict"].rows else None,
        figure=budget_curve_svg(by_name["budget_curve"].rows),
        now=f"{now:%d %B %Y, %H:%M} UTC",
        currency=currency,
    )
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ArtifactProblem(
            f"The report can not be written to {path}: {error.strerror}. Name another place with --output."
        ) from error


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)
