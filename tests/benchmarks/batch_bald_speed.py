"""Speed, quality and memory of BatchBALD: this package, batchbald_redux and baal, on the same predictions.

    python tests/benchmarks/batch_bald_speed.py [--quick] [--full] [--rounds 1]

Predictions of T networks with shared dropout masks, of an MLP trained on 300 embeddings of 40 clusters and 10
classes. Each call runs in a process of its own with one thread, and rounds are interleaved, so times are CPU
seconds of the choosing alone; memory is the largest growth of anonymous memory during it. redux and baal
get 10,000 joint samples, this package its defaults. Joint information is I[y_S; w] of each batch in
nats, from 200,000 joint labels by ln T − E H[w | y_S], which shares no code with any of the three. baal's
batch is taken as it returns it: it lacks the item of largest BALD that its own first step takes. A call that
does not end within the limit or the memory says so.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import acquisition

SAMPLES = 10_000
WAYS = ("here", "redux", "baal")


class Case(NamedTuple):
    """N items, T networks, k to choose, and who takes part."""

    items: int
    samples: int
    size: int
    ways: tuple[str, ...] = ("here", "redux")


QUICK = (Case(1_000, 20, 5, WAYS),)
USUAL = (
    Case(1_000, 20, 5, WAYS),
    Case(1_000, 20, 10, WAYS),
    Case(1_000, 100, 10),
    Case(5_000, 100, 5),
    Case(20_000, 20, 5, WAYS),
    Case(20_000, 100, 10, ("here",)),
)
FULL = (*USUAL[:-1], Case(1_000, 100, 20), Case(5_000, 100, 10), Case(20_000, 100, 10))


def embeddings(n_items: int, seed: int) -> tuple[Tensor, Tensor]:
    """Makes items of 40 overlapping clusters, four to a class."""
    centres = 0.35 * torch.randn(40, 384, generator=torch.Generator().manual_seed(123))
    rng = torch.Generator().manual_seed(seed)
    cluster_N = torch.randint(40, (n_items,), generator=rng)
    return centres[cluster_N] + torch.randn(n_items, 384, generator=rng), cluster_N % 10


def trained() -> nn.Module:
    """Trains the network whose dropout makes the posterior."""
    with acquisition.randomness.forked(0):
        model = nn.Sequential(
            nn.Linear(384, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(256, 10),
        )  # fmt: skip
        items, classes = embeddings(300, 99)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        for _ in range(40):
            for rows in torch.randperm(300).split(32):
                optimizer.zero_grad()
                functional.cross_entropy(model(items[rows]), classes[rows]).backward()
                optimizer.step()
    return model.eval()


def predictions(case: Case, folder: Path) -> Path:
    """Writes log_probs_T_N_C, for all processes."""
    path = folder / f"{case.items}-{case.samples}.pt"
    if not path.exists():
        posterior = acquisition.mc_dropout(trained())
        log_probs = acquisition.predict(posterior, embeddings(case.items, 55)[0], case.samples, seed=3)
        torch.save(log_probs.contiguous(), path)
    return path


def prepared(way: str, log_probs_T_N_C: Tensor, size: int) -> Callable[[], list[int]]:
    """Imports and lays out what a way needs, so that only choosing is measured."""
    warnings.simplefilter("ignore")
    if way == "here":
        return lambda: acquisition.select("batch_bald", log_probs_T_N_C, size).indices.tolist()
    if way == "redux":
        from batchbald_redux.batchbald import get_batchbald_batch

        log_probs_N_T_C = log_probs_T_N_C.transpose(0, 1).contiguous()
        return lambda: get_batchbald_batch(log_probs_N_T_C, size, SAMPLES).indices
    import structlog
    from baal.active.heuristics import BatchBALD

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    probs_N_C_T = log_probs_T_N_C.permute(1, 2, 0).exp().contiguous().numpy()
    heuristic = BatchBALD(num_samples=size, num_draw=SAMPLES // len(log_probs_T_N_C))
    return lambda: heuristic.get_ranks(probs_N_C_T)[0][:size].tolist()


def anonymous() -> float:
    """Reads the anonymous resident memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def watched(call: Callable[[], list[int]]) -> dict[str, Any]:
    """Measures one call."""
    peak, before, over = [anonymous()], anonymous(), threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=look)
    watcher.start()
    started, wall = time.process_time(), time.perf_counter()
    with torch.inference_mode():
        chosen = call()
    cpu, wall = time.process_time() - started, time.perf_counter() - wall
    over.set()
    watcher.join()
    return {"cpu": cpu, "wall": wall, "memory": peak[0] - before, "chosen": [int(i) for i in chosen]}


def work(way: str, path: str, size: int, limit_gb: float) -> None:
    """Runs one way in this process and prints what came out."""
    torch.set_num_threads(1)
    log_probs_T_N_C = torch.load(path)
    with acquisition.randomness.forked(0):
        call = prepared(way, log_probs_T_N_C, size)
        if way == "here":
            acquisition.select("batch_bald", log_probs_T_N_C[:, :50], 3)
        resource.setrlimit(resource.RLIMIT_AS, (int(limit_gb * 2**30),) * 2)
        print(json.dumps(watched(call)))


def run(way: str, path: Path, case: Case, options: argparse.Namespace) -> dict[str, Any] | str:
    """Runs one way in another process; a text where it failed."""
    command = [sys.executable, __file__, "--worker", way, str(path), str(case.size)]
    command += ["--limit-gb", str(options.limit_gb)]
    environment = os.environ | {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=options.limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return f"over {options.limit_s:.0f} s"
    if done.returncode:
        return "out of memory" if "llocat" in done.stderr or "MemoryError" in done.stderr else "failed"
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def information(log_probs_T_N_C: Tensor, chosen: list[int], draws: int = 200_000) -> float:
    """Computes I[y_S; w] = ln T − E H[w | y_S] from joint labels drawn equally often from each network."""
    log_probs_T_K_C = log_probs_T_N_C[:, chosen].double().clamp_min(-1e4)
    n_samples, rng, left = len(log_probs_T_K_C), torch.Generator().manual_seed(7), 0.0
    rounds = max(1, draws // (n_samples * 100))
    for _ in range(rounds):
        scores = torch.zeros(n_samples * 100, n_samples, dtype=torch.float64)
        for item in range(len(chosen)):
            table_T_C = log_probs_T_K_C[:, item]
            labels = torch.multinomial(table_T_C.exp(), 100, replacement=True, generator=rng).flatten()
            scores += table_T_C.T[labels]
        posterior = torch.softmax(scores, 1)
        left -= float(torch.special.xlogy(posterior, posterior).sum(1).mean()) / rounds
    return math.log(n_samples) - left


def row(case: Case, log_probs_T_N_C: Tensor, results: dict[str, list[dict[str, Any] | str]]) -> list[str]:
    """Formats the lines of one case."""
    ours = results["here"][0]
    assert isinstance(ours, dict)
    seconds = {way: cpu_seconds(found) for way, found in results.items()}
    lines = []
    for way, found in results.items():
        head = f"| {case.items:,} | {case.samples} | {case.size} | {way} "
        if isinstance(found[0], str):
            lines.append(f"{head}| {found[0]} | | | | | |")
            continue
        same = len({*found[0]["chosen"]} & {*ours["chosen"]})
        lines.append(
            f"{head}| {seconds[way]:.2f} | {found[0]['wall']:.2f} | {seconds[way] / seconds['here']:.0f}× "
            f"| {information(log_probs_T_N_C, found[0]['chosen']):.4f} | {same}/{case.size} "
            f"| {max(r['memory'] for r in found if isinstance(r, dict)):.0f} |"
        )
    return lines


def cpu_seconds(found: list[dict[str, Any] | str]) -> float:
    """Takes the median over the rounds."""
    return statistics.median([r["cpu"] for r in found if isinstance(r, dict)] or [math.nan])


def main() -> None:
    """Runs all cases and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one small case, about two minutes")
    parser.add_argument("--full", action="store_true", help="redux on 20,000 items too, half an hour")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=1800)
    parser.add_argument("--limit-gb", type=float, default=12)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        way, path, size = options.worker
        work(way, path, int(size), options.limit_gb)
        return
    torch.set_num_threads(1)
    print("| N | T | k | way | CPU s | wall s | here is faster | joint nats | same picks | extra MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for case in QUICK if options.quick else FULL if options.full else USUAL:
            path, results = predictions(case, Path(folder)), {way: [] for way in case.ways}
            for _ in range(options.rounds):
                for way in case.ways:
                    results[way].append(run(way, path, case, options))
            print("\n".join(row(case, torch.load(path), results)), flush=True)


if __name__ == "__main__":
    main()
