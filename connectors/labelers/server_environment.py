"""What a Label Studio of our own is told when it starts: stay quiet, stay here, belong to this owner."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: Label Studio reads its settings with and without its own prefix; the user's own must not reach it.
FOREIGN_SETTINGS: Final = (
    "LABEL_STUDIO_",
    "HEARTEX_",
    "DJANGO_",
    "DATABASE_",
    "POSTGRE_",
    "REDIS_",
    "HOST",
    "DEBUG",
    "SECRET_KEY",
)
QUIET: Final = {
    "LATEST_VERSION_CHECK": "false",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "DISABLE_SIGNUP_WITHOUT_LINK": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who owns a server; kept in the data directory in a file only its owner can read."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)


def server_environment(data_dir: Path, owner: Owner | None, files_root: Path | None) -> dict[str, str]:
    """Write the environment of the program: ours, nothing of the user's own, the owner if there is one."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)}
    ours |= QUIET | {"LABEL_STUDIO_BASE_DATA_DIR": str(data_dir)}
    if owner is not None:
        ours |= {
            "LABEL_STUDIO_USERNAME": owner.email,
            "LABEL_STUDIO_PASSWORD": owner.password,
            "LABEL_STUDIO_USER_TOKEN": owner.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        }
    if files_root is not None:
        ours |= {
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files_root.absolute()),
        }
    return ours
