"""All panels, in the order in which an analyst reads them. A new one is a new file and a line here."""

from workbench.reports.panel import Panel
from workbench.reports.panels.annotators import Annotators
from workbench.reports.panels.batch import Batch
from workbench.reports.panels.budget_curve import BudgetCurve
from workbench.reports.panels.calibration import Calibration
from workbench.reports.panels.comparison import Comparison
from workbench.reports.panels.coverage import Coverage
from workbench.reports.panels.forecast import Forecast
from workbench.reports.panels.headline import Headline
from workbench.reports.panels.integrity import Integrity
from workbench.reports.panels.label_quality import LabelQuality
from workbench.reports.panels.savings import Savings
from workbench.reports.panels.stopping import Stopping

PANELS: tuple[Panel, ...] = (
    Headline(),
    BudgetCurve(),
    Savings(),
    Forecast(),
    Stopping(),
    Coverage(),
    Batch(),
    Annotators(),
    LabelQuality(),
    Calibration(),
    Integrity(),
    Comparison(),
)
