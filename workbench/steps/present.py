"""What an annotator sees of an item: a text, or the address of a picture."""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from connectors.labelers.pictures import inline_picture, local_files_address
from workbench.config.model import Settings
from workbench.domain.records import Project, TaskKind
from workbench.steps.parts import Present

SECRET_FILE = "picture-secret"  # noqa: S105  # a file's name


def presenter(settings: Settings, project: Project) -> Present:
    """The presentation that the configuration asks for."""
    if project.kind is TaskKind.TEXT:
        return _text
    if project.kind is TaskKind.FEATURES:
        return _features
    return _pictures(settings, project)


def picture_secret(directory: Path) -> bytes:
    """The secret behind the names of served pictures, made on first use and readable by its owner only."""
    path = directory / SECRET_FILE
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{SECRET_FILE}.{secrets.token_hex(4)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with suppress(FileExistsError):
            # Whole or not at all, and whoever comes second takes the first one's.
            os.link(temporary, path)
        temporary.unlink()
    return bytes.fromhex(path.read_text(encoding="ascii"))


def picture_name(secret: bytes, project: str, key: str) -> str:
    """A name that nobody can guess without the secret."""
    digest = hmac.new(secret, f"{project}\0{key}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return urlsafe_b64encode(digest[:18]).decode("ascii")


def _pictures(settings: Settings, project: Project) -> Present:
    labeler = settings.config.labeler
    if labeler.pictures == "local-files" and labeler.kind == "file-drop":
        return lambda _key, payload: str(payload["path"])
    if labeler.pictures == "local-files":
        root = settings.root / str(labeler.local_files_root)
        return lambda _key, payload: local_files_address(Path(payload["path"]), root)
    if labeler.pictures == "served":
        secret = picture_secret(settings.directory)
        base = str(labeler.serve_url).rstrip("/")
        return lambda key, _payload: (
            f"{base}/pictures/{picture_name(secret, project.name, key)}?item={quote(key, safe='')}"
        )
    return lambda _key, payload: inline_picture(Path(payload["path"]), max_bytes=labeler.inline_limit)


def _text(_key: str, payload: Mapping[str, Any]) -> str:
    return str(payload["text"])


def _features(_key: str, payload: Mapping[str, Any]) -> str:
    values = payload["features"]
    names = payload.get("names") or [f"feature {number + 1}" for number in range(len(values))]
    return "\n".join(f"{name}: {value:g}" for name, value in zip(names, values, strict=True))
