"""Folders of the Label Studio server's own machine from which a project shows pictures."""

from pathlib import Path
from typing import Any

from connectors.labelers.label_studio_answers import understood


def share_folder(sdk: Any, project: int, folder: Path) -> None:
    """Let a project show the pictures below a folder; twice is once, and no task is made of them."""
    path = str(folder.absolute())
    with understood():
        known = sdk.import_storage.local.list(project=project)
        if all(storage.path != path for storage in known):
            sdk.import_storage.local.create(
                project=project, path=path, regex_filter=".*", use_blob_urls=True, title="pictures"
            )
