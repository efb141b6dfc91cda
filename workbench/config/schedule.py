"""[schedule]: when rounds start and end by themselves."""

from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from workbench.config.cron import check_cron
from workbench.config.section import Section
from workbench.domain.schedule import Rules
from workbench.domain.windows import parse_window

StopRule = Literal[
    "classification_change",
    "expected_gain",
    "kappa",
    "overall_uncertainty",
    "plateau",
    "stabilizing_predictions",
]


class ScheduleSection(Section):
    """[schedule]: when `workbench run` starts and closes rounds of this project."""

    cron: str | None = None
    timezone: str = "UTC"
    windows: Annotated[tuple[str, ...], Field(strict=False)] = ()
    after_close: bool = False
    every_days: Annotated[float, Field(gt=0, le=3650, strict=False)] | None = None
    on_drift: Annotated[float, Field(ge=0.002, lt=1)] | None = None
    close_after_days: Annotated[float, Field(gt=0, le=3650, strict=False)] | None = None
    look_every: Annotated[float, Field(ge=1, le=86_400, strict=False)] = 60.0
    deadline: date | None = None
    max_rounds: Annotated[int, Field(ge=1)] | None = None
    target: Annotated[float, Field(gt=0, lt=1)] | None = None
    stop_rules: Annotated[tuple[StopRule, ...], Field(strict=False)] = ()

    @field_validator("cron")
    @classmethod
    def _cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            check_cron(cron)
        return cron

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError('no known time zone; expected a name as in "Europe/Berlin" or "UTC"') from error
        return timezone

    @field_validator("deadline", mode="before")
    @classmethod
    def _deadline(cls, deadline: object) -> object:
        if isinstance(deadline, str):
            raise ValueError("a text; expected a date without quotes, as in 2026-12-31")
        return deadline

    @field_validator("windows")
    @classmethod
    def _windows(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            parse_window(window)
        return windows

    @property
    def rules(self) -> Rules:
        """As the domain wants them."""
        return Rules(
            cron=self.cron,
            timezone=self.timezone,
            windows=tuple(parse_window(window) for window in self.windows),
            after_close=self.after_close,
            every_days=self.every_days,
            on_drift=self.on_drift,
            close_after_days=self.close_after_days,
            deadline=self.deadline,
            max_rounds=self.max_rounds,
            target=self.target,
        )
