"""A project of sixty numbered items: small enough to run a thousand times, real in every part."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.bootstrap import add_to_pool, upgrade_database
from workbench.simulation.answers import Answers

CLASSES = ("low", "middle", "high")
ROWS = 60
PEOPLE = ("chaos-ada@example.com", "chaos-ben@example.com")

CONFIG = """
[project]
name = "{name}"
task = "feature-classification"
classes = {classes}
seed = 3
[model]
options = {{ hidden = {hidden} }}
[posterior]
samples = {samples}
options = {{ epochs = {epochs} }}
[acquisition]
selector = "power"
control_share = 0.25
[round]
batch_size = {batch}
[labeler]
kind = "{kind}"
"""
BUDGET = "[budget]\nper_annotation = 0.1\n"


def truth(row: int) -> str:
    """What an item really is."""
    return CLASSES[row % 3]


def answers() -> Answers:
    """What people say of the items: some are wrong, some are skipped, always the same ones."""
    truths = {f"item-{row:02d}": truth(row) for row in range(ROWS)}
    return Answers(truths=truths, classes=CLASSES, seed=3, error_rate=0.1, skip_rate=0.1)


def write_items(path: Path, rows: Sequence[int] = range(ROWS)) -> Path:
    """The source; any part of it holds the same items as the whole."""
    numbers = np.random.default_rng(0)
    items = [{"x": row % 3 + numbers.normal(0, 0.3), "y": numbers.normal()} for row in range(ROWS)]
    frame = pd.DataFrame(items).assign(key=[f"item-{row:02d}" for row in range(ROWS)])
    frame["label"] = [truth(row) for row in range(ROWS)]
    frame.iloc[list(rows)].to_csv(path, index=False)
    return path


def write_config(
    directory: Path,
    name: str,
    kind: str,
    *,
    hidden: int = 16,
    samples: int = 10,
    epochs: int = 20,
    batch: int = 8,
    more: str = BUDGET,
) -> Path:
    """The configuration; ``more`` is appended to it."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "workbench.toml"
    settings = {"hidden": hidden, "samples": samples, "epochs": epochs, "batch": batch}
    config.write_text(CONFIG.format(name=name, classes=json.dumps(CLASSES), kind=kind, **settings) + more)
    return config


def fill(config: Path, rows: Sequence[int] = range(ROWS)) -> None:
    """Make the database and add the items, a fifth of them held out."""
    upgrade_database(config)
    add_items(config, rows)


def add_items(config: Path, rows: Sequence[int] = range(ROWS)) -> None:
    """Add these items to the pool, a fifth of them held out."""
    source = write_items(config.parent / "items.csv", rows)
    add_to_pool(config, source, features=("x", "y"), key="key", label="label", test_share=0.2)


def prepare(directory: Path, name: str, kind: str, *, more: str = BUDGET) -> Path:
    """A project that is ready for its first round."""
    config = write_config(directory, name, kind, more=more)
    fill(config)
    return config
