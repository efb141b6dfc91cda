"""The commented ``workbench.toml`` that ``workbench init`` writes."""

import json
import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from workbench.config.load import FILE_NAME, parse_config
from workbench.domain.errors import ConfigProblem


def write_template(directory: Path, *, name: str | None, task: str, classes: Sequence[str]) -> Path:
    """Write a new configuration; an existing one is never overwritten.

    Raises:
        ConfigProblem: There is one already, or what was asked for makes no valid configuration.
    """
    path = directory / FILE_NAME
    title = name or _title(directory.resolve().name)
    template = files("workbench.config").joinpath("template.toml").read_text(encoding="utf-8")
    text = template.format(
        name=json.dumps(title, ensure_ascii=False)[1:-1],
        task=task,
        classes=json.dumps(list(classes), ensure_ascii=False),
    )
    parse_config(tomllib.loads(text), path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigProblem(f"{path} is there already. Edit it, or name another folder.") from error
    except OSError as error:
        raise ConfigProblem(f"{path} can not be written: {error.strerror}. Name another folder.") from error
    return path


def _title(folder: str) -> str:
    plain = re.sub(r"[^\w .-]", "", folder)[:50].strip()
    return plain if len(plain) >= 3 else "my project"
