"""``workbench demo``: the whole job on real data, watched round by round."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Annotated, Any, Literal

import typer

from workbench.cli.options import JsonOption, print_json, progress_bar, say, show_table

COLUMNS = ("round", "labels", "cost", "accuracy", "95 % interval", "random control")


def demo(
    directory: Annotated[
        Path | None, typer.Option(help="Where everything is kept; one for each set of options if left out.")
    ] = None,
    labeler: Annotated[
        Literal["label-studio", "simulated"],
        typer.Option(help="A real Label Studio, or the embedded labeler (needs nothing, under a minute)."),
    ] = "label-studio",
    posterior: Annotated[str, typer.Option(help="mc_dropout or ensemble.")] = "mc_dropout",
    function: Annotated[str, typer.Option(help="The acquisition function.")] = "bald",
    selector: Annotated[str, typer.Option(help="How a batch is selected.")] = "power",
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How many rounds, the first by coverage.")] = 6,
    batch: Annotated[int, typer.Option(min=2, max=500, help="Items a round.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same picks.")] = 0,
    only_open: Annotated[
        bool, typer.Option("--open", help="Start the Label Studio of a finished demo and wait.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole loop on scikit-learn's digits; on an interrupted demo's directory, go on with it.

    Example: `workbench demo --labeler simulated --seed 7`
    """
    from workbench.simulation.demo import DemoOptions, Show, run_demo

    options = DemoOptions(
        labeler=labeler,
        posterior=posterior,
        function=function,
        selector=selector,
        rounds=rounds,
        batch=batch,
        seed=seed,
    )
    place = directory or Path("workbench-demo") / options.name
    if only_open:
        _open(place)
        return
    show = Show(
        say=say,
        picks=(lambda _picks: None) if as_json else _show_picks,
        table=(lambda _rounds: None) if as_json else _show_table,
        progress=progress_bar,
    )
    result = run_demo(place, options, show)
    if as_json:
        print_json(result)
    else:
        _show_table(result["rounds"], title="All rounds")
        _say_next(place, result)


def _show_picks(picks: Sequence[Any]) -> None:
    some = ", ".join(pick.item_key for pick in picks[:8])
    say(f"Round 0 has no model yet: its {len(picks)} items cover the pool ({some}, ...).")


def _show_table(rounds: Sequence[dict[str, Any]], title: str | None = None) -> None:
    shown = rounds if title else rounds[-1:]
    show_table(COLUMNS, [_line(row) for row in shown], title=title)


def _line(row: dict[str, Any]) -> list[object]:
    interval = "–"
    if row["accuracy"] is not None:
        interval = f"{row['accuracy_low']:.3f} to {row['accuracy_high']:.3f}"
    return [
        row["round"],
        row["labels"],
        f"{row['cost']:.2f} USD",
        row["accuracy"],
        interval,
        row["control_accuracy"],
    ]


def _say_next(place: Path, result: dict[str, Any]) -> None:
    say(f"The report:      {result['report']}")
    say(f"The database:    {result['database']}")
    program = _program()
    say(f"The dashboard:   {program} serve {place}")
    if result["label_studio_url"]:
        say(f"Label by hand:   {program} demo --directory {place} --open")
    say(f"Look around:     {program} round list --config {place / 'workbench.toml'}")
    say(f"                 {program} round show 1 --config {place / 'workbench.toml'}")
    say(f"Your own data:   {program} init my-project (then see the README)")


def _program() -> str:
    """How this program is typed here: by name where the path finds it, else by where it lies."""
    typed = Path(sys.argv[0])
    found = shutil.which("workbench")
    return "workbench" if found and Path(found).samefile(typed) else str(typed)


def _open(place: Path) -> None:
    from workbench.domain.errors import DemoProblem
    from workbench.simulation.places import label_studio_server

    if not (place / "label-studio").exists():
        raise DemoProblem(f"{place} holds no demo with Label Studio. Type `workbench demo` to make one.")
    with label_studio_server(place, say) as running:
        say(f"Open {running.url}/projects and log in as {running.email}")
        say(f"The password is in {place / 'label-studio' / 'credentials.json'}")
        config = place / "workbench.toml"
        say("Choose 'Label All Tasks' there. In another terminal, before and after labeling:")
        say(f"  {_program()} round ask --config {config}")
        say(f"  {_program()} round tell --config {config}")
        say("Ctrl-C ends it.")
        Event().wait()
