"""What a configuration says of the budget counts from the moment that it is read, on pages too."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from workbench.config.model import Settings
from workbench.domain.errors import WorkbenchError
from workbench.steps.terms import note_file
from workbench.storage.store import Store

#: No page waits longer for a database that is locked: what the file says counts a little later then.
PATIENCE_SECONDS = 2.0


@dataclass(slots=True, eq=False)
class Noting:
    """Keeps the budget's terms of files that were edited in the database, each once, as commands do."""

    _noted: dict[Path, Settings] = field(default_factory=dict)

    def note(self, config: Path, settings: Settings, store: Store) -> None:
        """Have what the file says now count, in this report and in all that are made of this moment later."""
        if self._noted.get(config) is settings:
            return
        self._noted[config] = settings
        noting = threading.Thread(
            target=self._write, args=(config, settings, store), name="terms", daemon=True
        )
        noting.start()
        noting.join(PATIENCE_SECONDS)

    def _write(self, config: Path, settings: Settings, store: Store) -> None:
        try:
            with store.begin() as tx:
                project = tx.projects.get(settings.config.project.name)
                if project is not None:
                    tx.projects.lock(project.id)
                    note_file(tx, project, settings.config)
                    return
        except WorkbenchError:
            # The database is away or locked: tried again with the next page.
            pass
        self._noted.pop(config, None)
