"""All panels, in the order in which an analyst reads them. A new one is a new file and a line here."""

from workbench.reports.panel import Panel
from workbench.reports.panels.comparison import Comparison

PANELS: tuple[Panel, ...] = (Comparison(),)
