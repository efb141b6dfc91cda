"""What a round was made with: versions, seeds and hashes, so that it can be made again. Names nobody.

No host, user, path or secret is in it: it is shown in reports.
"""

import hashlib
import json
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from workbench.domain.rounds import Round
from workbench.steps.parts import Parts
from workbench.storage.store import Transaction

ENVIRONMENT = "environment"
#: The names under which versions are kept, and the packages they are of.
PACKAGES = {
    "workbench": "active-labeling-workbench",
    "torch": "torch",
    "numpy": "numpy",
    "scikit-learn": "scikit-learn",
}


def environment_of(parts: Parts, held: Round) -> dict[str, Any]:
    """Look at what this process works with."""
    snapshot = json.dumps(parts.config.snapshot(), sort_keys=True)
    return {
        **_versions(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": str(parts.config.posterior.options.get("device", "cpu")),
        "threads": parts.config.model.threads,
        "database": parts.store.engine.dialect.name,
        "database_revision": parts.store.status().found,
        "seed": parts.project.seed,
        "round_seed": held.seed,
        "configuration_sha256": hashlib.sha256(snapshot.encode()).hexdigest(),
    }


def keep_environment(tx: Transaction, held: Round, found: dict[str, Any]) -> None:
    """Keep it with the round and the hashes of its model, in the transaction that closes it; once."""
    if not tx.evidence.has_diagnostic(held.id, ENVIRONMENT):
        content = {**found, **_model(tx, held)}
        tx.evidence.keep_diagnostic(held.project_id, ENVIRONMENT, content, round_id=held.id)


def _model(tx: Transaction, held: Round) -> dict[str, Any]:
    if held.model_run_id is None:
        return {"data_hash": None, "model_sha256": None}
    run = tx.results.run(held.model_run_id)
    return {
        "posterior": run.posterior,
        "model_seed": run.seed,
        "data_hash": run.data_hash,
        "model_sha256": run.sha256,
    }


def _versions() -> dict[str, str]:
    found = {}
    for name, package in PACKAGES.items():
        with suppress(PackageNotFoundError):
            found[name] = version(package)
    return found
