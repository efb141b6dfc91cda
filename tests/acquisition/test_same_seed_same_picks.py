"""The same seed gives the same picks in another process, whatever Python's hash seed is there."""

import json
import os
import subprocess
import sys

PICKS = """
import json
import torch
import acquisition
from torch import nn

torch.set_num_threads(1)
seeded = torch.Generator().manual_seed(5)
inputs = torch.randn(60, 6, generator=seeded)
targets = torch.arange(60) % 4
log_probs_T_N_C = torch.randn(8, 60, 4, generator=seeded).log_softmax(-1)
candidates = acquisition.Candidates(
    scores_N=acquisition.score("bald", log_probs_T_N_C),
    log_probs_T_N_C=log_probs_T_N_C,
    features_N_D=inputs,
    labeled_M_D=inputs[:5] + 0.1,
    groups_N=targets,
)
picks = {}
for name in acquisition.catalog()["selectors"]:
    picks[name] = acquisition.select(name, candidates, 10, seed=3).indices.tolist()


def factory():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))


for name in ("mc_dropout", "ensemble"):
    posterior = acquisition.fit(name, factory, (inputs, targets), seed=2, epochs=3)
    picks[name] = acquisition.rank_pool(posterior, inputs, keep=10, seed=4).indices.tolist()
print(json.dumps(picks))
"""


def _picks(hash_seed: str) -> dict[str, list[int]]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PICKS], capture_output=True, text=True, check=True, env=environment
    )
    found: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_same_seed_gives_the_same_picks_in_another_process() -> None:
    first, second = _picks("1"), _picks("2")
    assert first == second
    assert all(len(set(rows)) == 10 for rows in first.values())
