"""``workbench reconcile``: do database and labeler say the same?"""

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    print_json,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from workbench.domain.reconcile import Finding, Reconciled

#: How many findings of a kind are shown on a terminal; ``--json`` has all.
SHOWN = 20


def reconcile(
    config: ConfigOption = DEFAULT_CONFIG,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what needs no person.")] = False,
    number: Annotated[int | None, typer.Option("--round", min=0, help="Only this round.")] = None,
    new_project: Annotated[
        bool,
        typer.Option(
            "--new-project", help="With --fix: if the project is gone at the labeler, go on in a new one."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare database and labeler item by item: what is wrong, what is meant to be, what is done about it.

    Exit code 0: both say the same, or do so now; 1: something is left to mend.

    Example: `workbench reconcile --fix`
    """
    from workbench.bootstrap import open_parts
    from workbench.steps.reconcile import reconcile as compare

    if new_project and not fix:
        raise typer.BadParameter("is for use with --fix", param_hint="--new-project")
    with open_parts(config, progress=progress_bar) as parts:
        found = compare(parts, fix=fix, number=number, new_project=new_project)
    if as_json:
        print_json(_document(found))
    else:
        _show(found)
    if found.difference:
        raise typer.Exit(1)


def _document(found: "Reconciled") -> dict[str, Any]:
    return {
        "difference": found.difference,
        "needs_person": found.needs_person,
        "tasks_here": found.tasks_here,
        "tasks_there": found.tasks_there,
        "findings": [asdict(finding) for finding in found.findings],
    }


def _show(found: "Reconciled") -> None:
    from workbench.domain.reconcile import MEANING

    def order(finding: "Finding") -> tuple[str, str]:
        return finding.outcome, finding.kind

    for (outcome, kind), group in groupby(sorted(found.findings, key=order), key=order):
        rows = list(group)
        print(f"{kind}: {len(rows)} ({outcome}). {MEANING[rows[0].kind]}")
        for finding in rows[:SHOWN]:
            print(f"  {_where(finding)}{finding.found}\n    {finding.action}")
        if len(rows) > SHOWN:
            say(f"  … and {len(rows) - SHOWN} more; --json names them all.")
    say(_conclusion(found))


def _where(finding: "Finding") -> str:
    parts = [
        f"round {finding.round}" if finding.round is not None else "",
        f"item {finding.item}" if finding.item is not None else "",
        f"task {finding.task}" if finding.task is not None else "",
    ]
    named = ", ".join(part for part in parts if part)
    return f"{named}: " if named and (finding.item or finding.task) else ""


def _conclusion(found: "Reconciled") -> str:
    compared = f"{found.tasks_here} tasks here and {found.tasks_there} at the labeler were compared"
    if not found.difference:
        return f"{compared}: no difference."
    fixable = found.difference - found.needs_person
    words = [f"{found.needs_person} need a person"] if found.needs_person else []
    words += [f"{fixable} can be mended: type `workbench reconcile --fix`"] if fixable else []
    return f"{compared}: difference {found.difference}; {'; '.join(words)}."
