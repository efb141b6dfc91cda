"""Calls of factories with options from ``workbench.toml``: what does not fit is said before the call."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from workbench.domain.errors import ModelProblem

DOCTOR = "Then type `workbench doctor`."


def call(
    what: str, function: Callable[..., Any], options: Mapping[str, Any], offered: Mapping[str, Any]
) -> Any:
    """Call a factory with all options of the user and with what it wants of the offered arguments.

    Args:
        what: Names the factory in messages.
        function: Takes keyword arguments.
        options: Of the user; every one of them must be taken.
        offered: Passed where the signature has the name.

    Raises:
        ModelProblem: An option it does not take, an argument nobody gave, or an error inside it.
    """
    arguments = _fitting(what, function, options, offered)
    try:
        return function(**arguments)
    except ModelProblem:
        raise
    except Exception as error:
        raise ModelProblem(
            f"{what} raised {type(error).__name__}: {_first_line(error)}. It was called with "
            f"{_shown(arguments)}. Repair it or its options. {DOCTOR}"
        ) from error


def _fitting(
    what: str, function: Callable[..., Any], options: Mapping[str, Any], offered: Mapping[str, Any]
) -> dict[str, Any]:
    parameters = _parameters(function)
    if parameters is None:
        return {**offered, **options}
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    named = {name for name, p in parameters.items() if p.kind in _BY_NAME}
    unknown = [] if takes_all else [name for name in options if name not in named]
    if unknown:
        raise ModelProblem(_unknown_option(what, unknown[0], named - offered.keys()))
    wanted = {name: value for name, value in offered.items() if takes_all or name in named}
    arguments = {**wanted, **options}
    missing = [name for name, p in parameters.items() if _required(p) and name not in arguments]
    if missing:
        raise ModelProblem(
            f"{what} needs the argument {missing[0]!r}, which nobody gives; expected among its arguments "
            f"are {', '.join(offered) or 'its own options'}. Rename it, give it a default, or set it in "
            f"the options. {DOCTOR}"
        )
    return arguments


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _required(parameter: inspect.Parameter) -> bool:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variadic


def _unknown_option(what: str, name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
    return f"{what} takes no option {name!r}; {takes}.{hint} Change workbench.toml. {DOCTOR}"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no message").rstrip(".")


def _shown(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "no arguments"
