"""What ``workbench.toml`` may say. One frozen model, checked as a whole."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from workbench.config.schedule import ScheduleSection
from workbench.config.section import Section
from workbench.domain.budget import Caps, Prices
from workbench.domain.records import TaskKind
from workbench.domain.terms import Terms

#: More than anybody has; what is larger, infinite or no number at all is a slip of the pen.
LARGEST_CAP = 10**12
Fraction = Annotated[float, Field(ge=0, le=1)]
DEFAULT_MODELS = {TaskKind.IMAGE: "cnn", TaskKind.TEXT: "text", TaskKind.FEATURES: "mlp"}
DEFAULT_SELECTOR_OPTIONS = {"power": {"beta": 4.0}}
DEFAULT_ENCODERS = {TaskKind.IMAGE: "image", TaskKind.TEXT: "text", TaskKind.FEATURES: "features"}


class ProjectSection(Section):
    """[project]."""

    name: Annotated[str, Field(min_length=3, max_length=50)]
    task: Literal["image-classification", "text-classification", "feature-classification"]
    classes: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice:
            raise ValueError(f"the same class twice: {', '.join(twice)}")
        if any(not name.strip() for name in classes):
            raise ValueError("an empty class name")
        return classes

    @property
    def kind(self) -> TaskKind:
        """The task as an enum."""
        return TaskKind(self.task)


class StorageSection(Section):
    """[storage]: where the database and the files of the project are."""

    database: str = "sqlite:///workbench.db"
    directory: str = "data"
    #: Where pictures may lie besides the folders that were added to the pool.
    picture_folders: Annotated[tuple[str, ...], Field(strict=False)] = ()


class ModelSection(Section):
    """[model]: what is trained."""

    factory: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    encoder: Literal["image", "text", "sentence", "vision", "features"] | None = None
    encoder_options: dict[str, Any] = Field(default_factory=dict)
    transform: str | None = None
    threads: Annotated[int, Field(ge=1, le=1024)] = 1


class PosteriorSection(Section):
    """[posterior]: how its uncertainty is approximated; ``options`` also holds the training options."""

    name: str = "mc_dropout"
    samples: Annotated[int, Field(ge=2, le=10_000)] = 50
    options: dict[str, Any] = Field(default_factory=dict)


class AcquisitionSection(Section):
    """[acquisition]: which items are wanted most."""

    function: str = "bald"
    function_options: dict[str, Any] = Field(default_factory=dict)
    targets: Annotated[int, Field(ge=1, le=100_000)] = 200
    selector: str = "power"
    selector_options: dict[str, Any] | None = None
    shortlist: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    coverage: str = "kmeans"
    control_share: Fraction = 0.1
    control_model: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """The selector's options: those of the file, or what was measured best (docs/benchmarks.md)."""
        if self.selector_options is not None:
            return self.selector_options
        return dict(DEFAULT_SELECTOR_OPTIONS.get(self.selector, {}))


class RoundSection(Section):
    """[round]."""

    batch_size: Annotated[int, Field(ge=1, le=100_000)] = 20
    close_when: Annotated[float, Field(gt=0, le=1)] = 1.0


class LabelerSection(Section):
    """[labeler]: where people label. The address and the token come from the environment."""

    kind: Literal["label-studio", "embedded", "file-drop"] = "label-studio"
    url: str | None = None
    project_id: int | None = None
    overlap: Annotated[int, Field(ge=1, le=20)] = 1
    show_predictions: bool = True
    pictures: Literal["inline", "local-files", "served"] = "inline"
    inline_limit: Annotated[int, Field(ge=1000)] = 1_000_000
    local_files_root: str | None = None
    serve_url: str | None = None
    webhook_url: str | None = None
    folder: Annotated[str, Field(min_length=1)] = "data/drop"

    @field_validator("webhook_url")
    @classmethod
    def _webhook(cls, url: str | None) -> str | None:
        # What stands in it is written into the database and shown at the labeler: no password, no token.
        if url is not None and not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#@]*)?", url):
            raise ValueError(
                "expected an address such as http://workbench.example.com:8091, without user name and query"
            )
        return url

    @model_validator(mode="after")
    def _pictures(self) -> Self:
        if self.pictures == "local-files" and not self.local_files_root and self.kind != "file-drop":
            raise ValueError('pictures = "local-files" needs local_files_root')
        if self.pictures == "served" and not self.serve_url:
            raise ValueError('pictures = "served" needs serve_url, as in "http://127.0.0.1:8090"')
        return self


class AnnotatorsSection(Section):
    """[annotators]: what several opinions of one item amount to, and how annotators are measured."""

    consensus: Literal["majority", "dawid_skene", "mace"] = "majority"
    #: Below this confidence an item gets one more opinion, up to ``max_overlap`` of them.
    min_confidence: Fraction = 0.0
    max_overlap: Annotated[int, Field(ge=1, le=20)] = 5
    relabel: Literal["off", "active_lab"] = "off"
    adjudication: bool = False
    gold_share: Fraction = 0.0
    blind_share: Fraction = 0.0


class BudgetSection(Section):
    """[budget]: prices, and caps that can not be overrun."""

    per_annotation: Annotated[float, Field(ge=0, strict=False)] = 0.0
    per_hour: Annotated[float, Field(ge=0, strict=False)] = 0.0
    expected_seconds: Annotated[float, Field(gt=0, strict=False)] = 10.0
    currency: str = "USD"
    max_labels: Annotated[int, Field(ge=1, le=LARGEST_CAP)] | None = None
    max_cost: Annotated[float, Field(gt=0, le=LARGEST_CAP, strict=False)] | None = None
    max_hours: Annotated[float, Field(gt=0, le=LARGEST_CAP, strict=False)] | None = None

    @property
    def prices(self) -> Prices:
        """As the domain wants them."""
        return Prices(
            per_annotation=self.per_annotation,
            per_hour=self.per_hour,
            expected_seconds=self.expected_seconds,
            currency=self.currency,
        )

    @property
    def caps(self) -> Caps:
        """As the domain wants them."""
        return Caps(labels=self.max_labels, cost=self.max_cost, hours=self.max_hours)


class ReportSection(Section):
    """[report]: what analysts hold the project to."""

    #: The accuracy that is wanted; that of [schedule] if left out.
    target: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Below this recall a class counts as lacking labels.
    class_floor: Annotated[float, Field(gt=0, lt=1)] = 0.8


class Config(Section):
    """All of ``workbench.toml``."""

    project: ProjectSection
    storage: StorageSection = StorageSection()
    model: ModelSection = ModelSection()
    posterior: PosteriorSection = PosteriorSection()
    acquisition: AcquisitionSection = AcquisitionSection()
    round: RoundSection = RoundSection()
    labeler: LabelerSection = LabelerSection()
    annotators: AnnotatorsSection = AnnotatorsSection()
    schedule: ScheduleSection = ScheduleSection()
    budget: BudgetSection = BudgetSection()
    report: ReportSection = ReportSection()

    @property
    def factory(self) -> str:
        """The model factory, the built-in one for the task if none is named."""
        return self.model.factory or DEFAULT_MODELS[self.project.kind]

    @property
    def encoder(self) -> str:
        """The encoder, the one for the task if none is named."""
        return self.model.encoder or DEFAULT_ENCODERS[self.project.kind]

    @property
    def terms(self) -> Terms:
        """The budget's terms as this file has them."""
        return Terms(
            currency=self.budget.currency,
            per_annotation=self.budget.per_annotation,
            per_hour=self.budget.per_hour,
            max_labels=self.budget.max_labels,
            max_cost=self.budget.max_cost,
            max_hours=self.budget.max_hours,
            target=self.report.target or self.schedule.target,
            floor=self.report.class_floor,
            deadline=self.schedule.deadline,
        )

    def snapshot(self) -> dict[str, Any]:
        """What is written into the database with each round. Holds no secret: those are not in here."""
        return self.model_dump(mode="json", exclude={"storage"})


class Settings(Section):
    """The configuration with the folder it belongs to and the secrets of the environment."""

    config: Config
    root: Path
    database_url: str = Field(repr=False)
    label_studio_url: str | None
    label_studio_api_key: str | None = Field(repr=False)
    webhook_secret: str | None = Field(default=None, repr=False)

    @property
    def picture_folders(self) -> tuple[Path, ...]:
        """Where pictures may lie besides the folders of the pool."""
        return tuple(self.root / folder for folder in self.config.storage.picture_folders)

    @property
    def directory(self) -> Path:
        """Where pool, scores, checkpoints and reports lie."""
        return self.root / self.config.storage.directory
