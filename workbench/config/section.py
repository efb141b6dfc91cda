"""What every table of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the file: frozen, and unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
