"""``workbench init`` and ``workbench doctor``: the way into a project of one's own."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say

MARKS = {"ok": "ok  ", "warning": "note", "failed": "FAIL"}


def init(
    directory: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    name: Annotated[str | None, typer.Option(help="The project's name; the folder's if left out.")] = None,
    task: Annotated[
        Literal["image-classification", "text-classification", "feature-classification"],
        typer.Option(help="What is classified."),
    ] = "image-classification",
    classes: Annotated[str, typer.Option(help="The class names, separated by commas.")] = "cat,dog",
) -> None:
    """Write a commented workbench.toml, ready to be edited.

    Example: `workbench init --task text-classification --classes spam,ham`
    """
    from workbench.config.template import write_template

    path = write_template(
        directory, name=name, task=task, classes=[part.strip() for part in classes.split(",") if part.strip()]
    )
    say(f"{path} is written. Edit it, then type:")
    if directory != Path():
        say(f"  cd {shlex.quote(str(directory)):<22} go there")
    say("  workbench db upgrade      make the database")
    say("  workbench pool add PATH   fill the pool")
    say("  workbench doctor          check everything")
    say("  workbench round ask       choose the first batch")


def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check configuration, database, pool, model, Label Studio, GPU and disk; say what to type where.

    Example: `workbench doctor`
    """
    from workbench.doctor import examine

    findings = list(examine(config))
    if as_json:
        print_json({"findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            say(f"{MARKS[finding.outcome]}  {finding.subject}: {finding.text}")
    if any(finding.outcome == "failed" for finding in findings):
        raise typer.Exit(1)
