"""Memory and time of EPIG over a pool: 1,000 targets, 10 classes, 100 networks, pools of growing size.

    python tests/benchmarks/epig_memory.py [--largest 8000] [--targets 1000]

Each pool is ranked by ``rank_pool`` in a process of its own with one thread. Memory is the largest growth of
anonymous memory while ranking, and the whole peak of the process, libraries included. It has to be flat in N:
then a pool of 100,000 takes as much, and its time follows from the time per item. For comparison the size
of the joint table [N, C, M, C] is shown, which a direct implementation holds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import acquisition

NETWORKS, CLASSES, FEATURES = 100, 10, 64


def anonymous() -> float:
    """Reads the anonymous resident memory in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def batches(n_items: int) -> Iterator[Tensor]:
    """Streams a pool, which is never in memory as a whole."""
    rng = torch.Generator().manual_seed(1)
    for first in range(0, n_items, 500):
        yield torch.randn(min(500, n_items - first), FEATURES, generator=rng)


def work(n_items: int, n_targets: int) -> None:
    """Ranks one pool in this process and prints what it took."""
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES))
    posterior = acquisition.mc_dropout(model.eval())
    targets = torch.randn(n_targets, FEATURES, generator=torch.Generator().manual_seed(2))
    before, peak, over = anonymous(), [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.process_time()
    ranked = acquisition.rank_pool(
        posterior, batches(n_items), "epig", n_samples=NETWORKS, keep=100, targets=targets
    )
    cpu = time.process_time() - started
    over.set()
    watcher.join()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert ranked.n_items == n_items
    print(json.dumps({"cpu": cpu, "grown": peak[0] - before, "whole": whole}))


def main() -> None:
    """Runs three pools and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--largest", type=int, default=8000)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.targets)
        return
    print("| N | M | CPU s | CPU s per 100,000 items | extra MB | whole process MB | joint table MB |")
    print("|---|---|---|---|---|---|---|")
    grown = {}
    for n_items in (options.largest // 16, options.largest // 4, options.largest):
        command = [sys.executable, __file__, "--worker", str(n_items), "--targets", str(options.targets)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        grown[n_items] = found["grown"]
        table = n_items * CLASSES * options.targets * CLASSES * 4 / 2**20
        print(
            f"| {n_items:,} | {options.targets:,} | {found['cpu']:.2f} | {1e5 * found['cpu'] / n_items:.0f} "
            f"| {found['grown']:.0f} | {found['whole']:.0f} | {table:,.0f} |",
            flush=True,
        )
    flat = max(grown.values()) - min(grown.values()) < 50
    print("Memory is flat in N." if flat else "MEMORY GROWS WITH N.")
    sys.exit(0 if flat else 1)


if __name__ == "__main__":
    main()
