"""Read ``workbench.toml`` and the environment once, and report every fault together."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from workbench.config.model import Config, Settings
from workbench.domain.errors import ConfigProblem

FILE_NAME = "workbench.toml"


class Environment(BaseSettings):
    """The secrets: from the environment, or from a ``.env`` file beside ``workbench.toml``."""

    model_config = SettingsConfigDict(extra="ignore", env_file_encoding="utf-8")

    label_studio_url: str | None = None
    label_studio_api_key: SecretStr | None = None
    workbench_database_url: SecretStr | None = None
    workbench_webhook_secret: SecretStr | None = None


def load_settings(path: Path) -> Settings:
    """Read the file and the environment.

    Raises:
        ConfigProblem: No file, not TOML, or faults; every fault is named with its key.
    """
    config = parse_config(_read(path), path)
    root = path.resolve().parent
    environment = Environment(_env_file=root / ".env")  # type: ignore[call-arg]  # pydantic-settings' own argument
    database = environment.workbench_database_url
    token = environment.label_studio_api_key
    secret = environment.workbench_webhook_secret
    return Settings(
        config=config,
        root=root,
        database_url=_anchored(database.get_secret_value() if database else config.storage.database, root),
        label_studio_url=environment.label_studio_url or config.labeler.url,
        label_studio_api_key=token.get_secret_value() if token else None,
        webhook_secret=secret.get_secret_value() if secret else None,
    )


def parse_config(document: Mapping[str, Any], path: Path) -> Config:
    """Check a parsed file as a whole.

    Raises:
        ConfigProblem: With one line for each fault.
    """
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        # One key may be reported by several branches of a union: once is enough.
        faults = list(
            dict.fromkeys(_fault(e["loc"], e["type"], e["msg"], e["input"]) for e in error.errors())
        )
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    lines = "\n".join(f"  - {fault}" for fault in faults)
    raise ConfigProblem(f"{path.name} has {count}:\n{lines}\nMend them and type `workbench doctor` again.")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigProblem(
            f"There is no {path.name} in {path.resolve().parent}. "
            "Type `workbench init` to write one, or name another with --config."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigProblem(
            f"{path.name} is not valid TOML: {error}. Mend that place and try again."
        ) from error
    except OSError as error:
        raise ConfigProblem(
            f"{path} can not be read: {error.strerror}. Name a file with --config."
        ) from error


def _fault(location: Sequence[int | str], kind: str, message: str, found: Any) -> str:
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{key}: unknown key{_nearest(location)}"
    if kind == "missing":
        return f"{key}: missing"
    plain = message.removeprefix("Value error, ")
    # An address may hold a password.
    value = re.sub(r"//[^/@\s]*@", "//***@", repr(found))
    shown = "" if isinstance(found, dict | list) else f"; found {value}"
    return f"{key}: {plain[:1].lower()}{plain[1:]}{shown}"


def _nearest(location: Sequence[int | str]) -> str:
    known = _known_keys(location[:-1])
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known are {', '.join(known)}" if known else ""


def _known_keys(location: Sequence[int | str]) -> list[str]:
    model: Any = Config
    for part in location:
        fields = getattr(model, "model_fields", {})
        model = fields[part].annotation if part in fields else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return []


def _anchored(url: str, root: Path) -> str:
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url.startswith("sqlite:////") or url == "sqlite:///:memory:":
        return url
    return prefix + str(root / url.removeprefix(prefix))
