"""Writes the reference pages that follow from the code: commands and methods.

Run `python docs/generate.py` after a change of the command line or of the catalog; with `--check` nothing is
written, and the exit code is 1 where a page differs. `tests/house/test_docs.py` runs the check.
"""

import enum
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parent / "reference"
MADE = "<!-- Made by docs/generate.py: change the code, then run it again. -->"
NOT_OURS = {"install_completion", "show_completion", "help"}


def pages() -> dict[Path, str]:
    """Make every generated page, by its path."""
    return {REFERENCE / "commands.md": commands_page(), REFERENCE / "methods.md": methods_page()}


def commands_page() -> str:
    """Make the page of all commands from the command line itself."""
    lines = [
        "# Commands",
        "",
        MADE,
        "",
        "Data goes to stdout, talk to stderr. With `--json` stdout is one JSON object and nothing else.",
        "Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. `--debug`, anywhere, shows a traceback.",
        "`workbench --version` prints the version; every command has `--help`.",
    ]
    for name, command in commands():
        lines += ["", f"## workbench {name}", "", inspect.cleandoc(command.help or "")]
        rows = [row for parameter in command.params if (row := _row(command, parameter))]
        if rows:
            lines += ["", "| option | default | meaning |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, with its full name."""
    import typer

    from workbench.cli.main import app

    yield from _leaves("", typer.main.get_command(app))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for part, child in below.items():
        yield from _leaves(f"{name} {part}".strip(), child)


def _row(command: Any, parameter: Any) -> str:
    if parameter.name in NOT_OURS:
        return ""
    is_option = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{name}`" for name in parameter.opts) if is_option else f"`{parameter.name.upper()}`"
    hints = typing.get_type_hints(inspect.unwrap(command.callback))
    choices = " or ".join(f"`{choice}`" for choice in _choices(hints.get(parameter.name)))
    meaning = " ".join(
        part for part in (parameter.help or "", f"One of {choices}." if choices else "") if part
    )
    return f"| {names} | {_default(parameter)} | {_cell(meaning)} |"


def _choices(hint: object) -> list[str]:
    if isinstance(hint, types.UnionType):
        return [choice for part in typing.get_args(hint) for choice in _choices(part)]
    if typing.get_origin(hint) is typing.Literal:
        return [str(choice) for choice in typing.get_args(hint)]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return [str(member.value) for member in hint]
    return []


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False or parameter.default == "":
        return "–"
    return f"`{parameter.default}`"


def methods_page() -> str:
    """Make the page of all acquisition methods from the catalog."""
    import acquisition
    from acquisition.catalog import BUILT_IN

    lines = [
        "# Methods",
        "",
        MADE,
        "",
        "What `acquisition.catalog()` lists: the built-in methods, their options and defaults.",
        "A larger score is always more wanted; information and entropy are in nats.",
        "T networks, N items, C classes.",
        "In `workbench.toml`: `[posterior] name` with `options`, `[acquisition] function` with",
        "`function_options`, and `[acquisition] selector` with `selector_options`. Which to take:",
        "[choosing](../explanation/choosing.md).",
    ]
    listed = acquisition.catalog()
    for kind, known in BUILT_IN.items():
        lines += ["", f"## {kind.replace('_', ' ').capitalize()}"]
        for name in known:
            lines += _method(kind, name, listed[kind][name])
    return "\n".join(lines) + "\n"


def _method(kind: str, name: str, sentence: str) -> list[str]:
    from acquisition.catalog import method

    found = method(kind, name)
    rest = inspect.cleandoc(found.__doc__ or "").partition("\n")[2].strip()
    lines = ["", f"### `{name}`", "", sentence]
    if rest:
        lines += ["", rest]
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(found.build).parameters
    options = ", ".join(f"`{option} = {p.default!r}`" for option, p in parameters.items())
    lines += ["", f"Options: {options}." if options else "It has no options."]
    needed = ", ".join(WHAT[need] for need in sorted(getattr(found, "NEEDS", ())) if need in WHAT)
    return [*lines, *(["", f"Needs {needed}."] if needed else [])]


#: What a method declares that it needs, in words; what every one of a kind has is left out.
WHAT = {
    "log_probs": "predictions",
    "samples": "at least two networks",
    "features": "embeddings",
    "labeled": "the labeled items",
    "targets": "target items",
    "groups": "a group for each candidate",
    "scores": "scores",
}


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    different = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in different:
        if "--check" in arguments:
            sys.stderr.write(f"{path.name} differs: run python docs/generate.py\n")
        else:
            path.write_text(pages()[path])
            sys.stderr.write(f"{path.name} is written\n")
    return int("--check" in arguments and bool(different))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
