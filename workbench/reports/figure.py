"""The budget curve as a picture: SVG, so that a report needs no script and can be mailed."""

import io
from collections.abc import Sequence
from typing import Any

CHOSEN = "#1b6ca8"
RANDOM = "#b0562b"


def budget_curve_svg(rows: Sequence[dict[str, Any]]) -> str:
    """Draw accuracy against labels with 95 % bands, chosen against random where both are known."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.subplots()
    drawn = [row for row in rows if row["accuracy"] is not None]
    _band(axes, drawn, "accuracy", CHOSEN, "chosen", marker="o")
    beside = [row for row in drawn if row["control_accuracy"] is not None]
    if beside:
        _band(axes, beside, "control", RANDOM, "drawn at random", marker="s")
    axes.set(xlabel="labels", ylabel="accuracy on held-out items")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.1f}".removesuffix(".0") + " %")
    axes.grid(color="#d9dde2", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    if drawn:
        axes.legend(frameon=False, loc="lower right", title="items were", alignment="left")
    return _as_svg(figure)


def _band(
    axes: Any, rows: Sequence[dict[str, Any]], name: str, color: str, label: str, *, marker: str
) -> None:
    value = "accuracy" if name == "accuracy" else "control_accuracy"
    labels = [row["labels"] for row in rows]
    axes.fill_between(
        labels,
        [row[f"{name}_low"] for row in rows],
        [row[f"{name}_high"] for row in rows],
        color=color,
        alpha=0.15,
        linewidth=0,
    )
    axes.plot(labels, [row[value] for row in rows], color=color, marker=marker, markersize=4.5, label=label)


def _as_svg(figure: Any) -> str:
    from matplotlib import rc_context

    out = io.StringIO()
    # A fixed salt and no date: the same data gives the same bytes.
    with rc_context({"svg.hashsalt": "workbench", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(
            out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None}
        )
    return out.getvalue()[out.getvalue().index("<svg") :]
