"""Memory of scoring a large pool: what a stream of a million items needs beyond the model.

    python tests/benchmarks/pool_memory.py [--items 1000000] [--samples 100] [--mapped FILE]

Scores items of 384 features by BALD with the masks of T networks and keeps the best thousand. Items are made
batch by batch, or read from a memory-mapped file that is made where it is missing. Peak memory is what the
process holds for itself (RssAnon of /proc/self/status), sampled at each batch, less what it held after a
first small pool. A million items at T = 100 through baal hold N · T · C numbers: 3.7 GiB, twice at the peak.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scoring_cases import mlp
from torch import Tensor

import acquisition

FEATURES = 384
BATCH = 4096


def held() -> float:
    """Returns the process's own memory in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def generated(n_items: int) -> Iterator[Tensor]:
    """Makes items."""
    generator = torch.Generator().manual_seed(0)
    for first in range(0, n_items, BATCH):
        yield torch.randn(min(BATCH, n_items - first), FEATURES, generator=generator)


def mapped(path: Path, n_items: int) -> Iterator[Tensor]:
    """Reads items from a file, made first where it is missing."""
    if not path.exists():
        table = np.memmap(path, np.float32, "w+", shape=(n_items, FEATURES))
        for first, batch in zip(range(0, n_items, BATCH), generated(n_items), strict=True):
            table[first : first + len(batch)] = batch.numpy()
        table.flush()
    table = np.memmap(path, np.float32, "c", shape=(n_items, FEATURES))
    for first in range(0, n_items, BATCH):
        yield torch.from_numpy(table[first : first + BATCH])


def main() -> None:
    """Scores the pool and prints what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--mapped", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    posterior = acquisition.mc_dropout(mlp().eval())
    acquisition.rank_pool(posterior, generated(BATCH), n_samples=2)
    before, peak = held(), [0.0]
    pool = mapped(arguments.mapped, arguments.items) if arguments.mapped else generated(arguments.items)

    def watched() -> Iterator[Tensor]:
        for batch in pool:
            peak[0] = max(peak[0], held())
            yield batch

    started = time.process_time()
    ranked = acquisition.rank_pool(posterior, watched(), n_samples=arguments.samples)
    seconds = time.process_time() - started
    print(
        f"{ranked.n_items:,} items, T = {arguments.samples}: {max(peak[0], held()) - before:.0f} MiB more "
        f"than before, {seconds:.1f} CPU seconds, making or reading the items included: "
        f"{ranked.n_items / seconds:,.0f} items per second"
    )


if __name__ == "__main__":
    main()
