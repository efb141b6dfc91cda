"""A faulty network between us and Label Studio changes nothing of what is left.

First an undisturbed run of two rounds is recorded. Then come runs in which requests meet faults: each kind of
request each fault, at places drawn at random, until ``PROXY_FAULTS`` of them have happened; after each error
somebody types the command again. The sweep over a fake server is wide; one over a real server proves it true.
"""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from connectors.labelers.label_studio import connect
from connectors.retry import Patience
from tests.conftest import RealLabelStudio
from tests.faults.comparing import check_same, what_is_left, what_the_labeler_holds
from tests.faults.fake_label_studio import fake_label_studio
from tests.faults.little_project import answers, prepare
from tests.faults.proxy import FAULTS, FaultyProxy, Planned
from tests.faults.working import everybody, finish_stubbornly

pytestmark = pytest.mark.chaos

#: Faults in one run.
TOGETHER = 6
AGAIN = Patience(attempts=3, first_pause=0.05, ceiling=4.0)


@dataclass
class Network:
    """A server, a key for it, and how its people answer."""

    url: str
    key: str
    answer: Callable[[str], None]
    patience: float

    def run(self, directory: Path, plan: list[Planned]) -> "Left":
        """Work two rounds through while these faults happen."""
        config = prepare(directory, f"network {directory.name} {os.urandom(3).hex()}", "label-studio")
        with (
            FaultyProxy(self.url, plan, patience=self.patience) as proxy,
            connect(proxy.url, self.key, timeout=self.patience, patience=AGAIN) as labeler,
        ):
            finish_stubbornly(config, labeler, self.answer)
            proxy.wait_for_all()
        with closing(connect(self.url, self.key)) as labeler:
            held = what_the_labeler_holds(labeler, config)
        return Left(what_is_left(config), held, proxy.seen, proxy.happened)


@dataclass
class Left:
    """What is left of a run, and what happened in it."""

    database: dict[str, list[Any]]
    held: list[Any]
    seen: list[str]
    happened: list[Planned]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def fake() -> Iterator[Network]:
    with fake_label_studio() as server:
        yield Network(server.url, "a" * 40, lambda _project: server.answer_all(answers()), patience=0.6)


@pytest.fixture
def real(label_studio: RealLabelStudio) -> Network:
    people = [label_studio.person("ada"), label_studio.person("ben")]
    return Network(label_studio.url, label_studio.owner.token, everybody(people), patience=5.0)


def sweep(network: Network, directory: Path, faults: int) -> int:
    """Have so many faults happen, a few in each run; gives how many did."""
    undisturbed = network.run(directory / "undisturbed", [])
    dice = random.Random(faults)
    pairs = list(product(sorted(set(undisturbed.seen)), FAULTS))
    dice.shuffle(pairs)
    happened = number = 0
    while happened < faults:
        drawn = [pairs[(TOGETHER * number + place) % len(pairs)] for place in range(TOGETHER)]
        plan = [Planned(kind, dice.randint(1, undisturbed.seen.count(kind)), fault) for kind, fault in drawn]
        left = network.run(directory / f"run{number}", plan)
        assert left.held == undisturbed.held, f"at the labeler, after {left.happened}"
        check_same(left.database, undisturbed.database, f"after {left.happened}")
        shutil.rmtree(directory / f"run{number}")
        happened += len(left.happened)
        number += 1
    print(f"{happened} faults in {number} runs")
    return happened


@pytest.mark.timeout(7200)
def test_a_faulty_network_changes_nothing_of_what_is_left(
    fake: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = int(os.environ.get("PROXY_FAULTS", "24"))
    monkeypatch.setattr("workbench.steps.push.LOOK_AGAIN_SECONDS", (0.4, 1.0, 3.0))
    assert sweep(fake, tmp_path, faults) >= faults


@pytest.mark.external
@pytest.mark.timeout(7200)
def test_a_faulty_network_to_a_real_label_studio_changes_nothing(real: Network, tmp_path: Path) -> None:
    faults = int(os.environ.get("PROXY_FAULTS", "8"))
    assert sweep(real, tmp_path, faults) >= faults
