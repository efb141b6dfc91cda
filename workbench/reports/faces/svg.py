"""A chart as SVG, drawn by matplotlib: text as text, the same bytes for the same data, no style attributes.

Colours are presentation attributes, so a picture stands alone; each also has a class (``f-blue``,
``s-blue``), by which the page's style sheet (``palette.stylesheet``) turns it dark. A strict
content-security policy lets it pass.
"""

import html
import io
import re
import threading
import warnings
from typing import Any, Final

from workbench.reports.chart import Chart
from workbench.reports.faces.drawing import Drawing
from workbench.reports.palette import INKS, TEXT
from workbench.reports.unread import DAMAGE
from workbench.reports.words import plain

FONTS: Final = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
#: What matplotlib calls each ink, and what we call it.
_NAMES: Final = {ink.light: ink.name for ink in INKS}
#: matplotlib's settings are the process's: one picture at a time.
_ALONE: Final = threading.Lock()
_PAINTS: Final = {"fill": "f", "stroke": "s"}


def svg(chart: Chart, currency: str = "") -> str:
    """Draw a chart. Scales to the width it is given; its summary is read out to those who do not see it.

    One that can not be drawn takes no page with it: there is a sentence in its place.
    """
    try:
        return _drawn(chart, currency)
    except DAMAGE as error:
        return _undrawn(chart, error)


def get_ready() -> None:
    """Load what draws, before the first chart is there: it takes as long as ten charts."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def _undrawn(chart: Chart, error: Exception) -> str:
    """What is there in place of a picture."""
    words = f"This chart can not be drawn ({type(error).__name__}); the tables have its numbers."
    label = html.escape(plain(f"{chart.title}. {chart.summary} {words}"), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart undrawn" viewBox="0 0 520 40" role="img" '
        f'aria-label="{label}" font-family="{FONTS}">\n'
        f'<text x="0" y="24" font-size="12" fill="{TEXT.light}" class="f-{TEXT.name}">{words}</text>\n</svg>'
    )


def _drawn(chart: Chart, currency: str) -> str:
    from matplotlib import rc_context

    settings = {
        "svg.hashsalt": chart.name,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "path.simplify_threshold": 0.2,
        # A dollar sign is a dollar sign.
        "text.parse_math": False,
    }
    out = io.StringIO()
    with _ALONE, rc_context(settings), warnings.catch_warnings():
        # Letters that matplotlib's own font lacks are drawn by the reader's: text stays text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Drawing(chart, currency).figure()
        no_metadata = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        figure.savefig(out, format="svg", metadata=no_metadata, transparent=True)
    return _tidy(out.getvalue(), chart)


def _tidy(text: str, chart: Chart) -> str:
    """From matplotlib's file to an element for a page."""
    body = text[text.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', body)
    assert box is not None
    body = body[body.index(">") + 1 : body.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r"url\(#([^)]+)\)", body)) | set(re.findall(r'href="#([^"]+)"', body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    body = body.replace("xlink:href", "href")
    body = re.sub(r' style="([^"]*)"', lambda found: _attributes(found[1]), body)
    body = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), body)
    body = re.sub(r"\s*\n\s*", "\n", re.sub(r"<defs>\s*</defs>", "", body)).strip()
    words = html.escape(plain(f"{chart.title}. {chart.summary}"), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" {box[0]} role="img" aria-label="{words}" '
        f'font-family="{FONTS}" stroke-linejoin="round">\n{body}\n</svg>'
    )


def _attributes(style: str) -> str:
    """Turn a style into presentation attributes, with a class for each paint of ours."""
    found: dict[str, Any] = {}
    for declaration in html.unescape(style).split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.strip()
    found.pop("", None)
    found.pop("font-family", None)
    if "font" in found:
        found["font-size"] = found.pop("font").split(" ")[0]
    classes = [
        f"{letter}-{_NAMES[found[paint]]}" for paint, letter in _PAINTS.items() if found.get(paint) in _NAMES
    ]
    words = "".join(f' {name}="{html.escape(value, quote=True)}"' for name, value in found.items())
    return words + (f' class="{" ".join(classes)}"' if classes else "")
