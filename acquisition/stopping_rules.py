"""Whether to stop labeling: one rule's verdict on the rounds so far."""

from __future__ import annotations

from typing import Any, cast

from acquisition.catalog import build
from acquisition.stopping.history import History, Rule, Verdict, check_history


def stop(name: str, history: History, **options: Any) -> Verdict:
    """Asks a stopping rule.

    No rule is right everywhere: ask several, and read their reasons. A rule that lacks rounds or
    measurements says so and never stops.

    Args:
        name: A stopping rule of ``catalog()``.
        history: The rounds so far, the oldest first.
        **options: The rule's own options.

    Returns:
        The verdict, with the rule and its finding in words.

    Raises:
        UnknownMethod: There is no such rule.
        InvalidOption: The rule does not take an option, or not that value.
        InvalidInput: The history can not have happened, or has NaN in it.
    """
    rule = cast(Rule, build("stopping_rules", name, options))
    check_history(history)
    return rule(history)
