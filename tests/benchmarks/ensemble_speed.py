"""Speed of deep ensembles: this package against members in turn and against baal's way, in one run.

    python tests/benchmarks/ensemble_speed.py [--rounds 5] [--members 5 20] [--widths 384 256 256 10]

CPU seconds of one thread; rounds are interleaved, a ratio is one of medians. Training: 300 items, batches of
30, ``--epochs`` passes, dropout 0.25 or none; in turn is ``acquisition.training.train`` member by member, the
loop is the plain one of PyTorch with its default (not fused) AdamW. Scoring: ``score_pool`` of ``--items``
items; in turn: the same with one pass of the ordinary modules per member; baal's way is ``baal.ensemble``,
weights loaded per member and batch of 32, then its heuristic. Outputs are compared with those in turn.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

import acquisition
from acquisition.posteriors.ensemble import looped
from acquisition.training import Recipe, made, train
from acquisition.types import Posterior
from acquisition.weights.stacked_training import train_stacked

Way = Callable[[], object]


def silent(done: int, total: int) -> None:
    """Reports nothing."""


def network(widths: list[int], dropout: float = 0.0) -> nn.Module:
    """Makes a chain of linear layers with ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        layers += [nn.Linear(width, following), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers[: -2 if dropout else -1])


def data(n_items: int, widths: list[int]) -> tuple[Tensor, Tensor]:
    """Makes items and classes."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(n_items, widths[0], generator=generator)
    return inputs, torch.randint(0, widths[-1], (n_items,), generator=generator)


def seconds(call: Way) -> float:
    """Measures one call in CPU seconds."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compared(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Returns the median CPU seconds of each way, rounds interleaved, one warm-up round."""
    times = [{name: seconds(way) for name, way in ways.items()} for _ in range(rounds + 1)][1:]
    return {name: statistics.median(each[name] for each in times) for name in ways}


def plain_loop(modules: list[nn.Module], inputs: Tensor, targets: Tensor, epochs: int) -> None:
    """Trains as a page of PyTorch's tutorial does."""
    for module in copy.deepcopy(modules):
        optimizer = torch.optim.AdamW(module.train().parameters(), lr=2e-3)
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs)).split(30):
                optimizer.zero_grad()
                functional.cross_entropy(module(inputs[rows]), targets[rows]).backward()
                optimizer.step()


def training_ways(members: int, widths: list[int], dropout: float, epochs: int) -> dict[str, Way]:
    """Prepares the ways to train."""
    inputs, targets = data(300, widths)
    recipe = Recipe.of(epochs, 32, 2e-3, 1e-2, "cpu")
    seeds = list(range(members))
    modules = [made(lambda: network(widths, dropout), seed) for seed in seeds]

    def in_turn() -> None:
        for module, seed in zip(copy.deepcopy(modules), seeds, strict=True):
            train(module, inputs, targets, recipe=recipe, seed=seed, progress=silent)

    def together() -> None:
        copies = copy.deepcopy(modules)
        train_stacked(copies, inputs, targets, recipe=recipe, seeds=seeds, progress=silent)

    return {
        "ours": together,
        "in turn": in_turn,
        "loop": partial(plain_loop, modules, inputs, targets, epochs),
    }


def baal_way(modules: list[nn.Module], pool: Tensor) -> object:
    """Scores as ``baal.ensemble`` does: weights loaded for each member and batch, probabilities to numpy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from baal.active.heuristics import BALD
    weights, module = [member.state_dict() for member in modules], copy.deepcopy(modules[0])
    found = []
    with torch.no_grad():
        for batch in pool.split(32):
            outputs = []
            for state in weights:
                module.load_state_dict(state)
                outputs.append(module(batch))
            found.append(torch.stack(outputs, -1))
    return BALD().get_ranks(torch.cat(found).numpy())


def streamed(posterior: Posterior, pool: Tensor, members: int) -> Tensor:
    """Scores a pool."""
    chunks = acquisition.score_pool(posterior, pool, n_samples=members)
    return torch.cat([chunk.scores_N for chunk in chunks])


def scoring_ways(members: int, widths: list[int], n_items: int) -> dict[str, Way]:
    """Prepares the ways to score, and checks that the first two agree."""
    modules = [made(lambda: network(widths), seed).eval() for seed in range(members)]
    pool, posterior = data(n_items, widths)[0], acquisition.ensemble(modules)
    plain = acquisition.ensemble(modules)
    plain._run = lambda numbers, features: partial(looped, modules)  # the ordinary modules in turn
    ways: dict[str, Way] = {
        "ours": partial(streamed, posterior, pool, members),
        "in turn": partial(streamed, plain, pool, members),
    }
    difference = float((streamed(posterior, pool, members) - streamed(plain, pool, members)).abs().max())
    if difference > 1e-5:
        raise SystemExit(f"The scores differ by {difference}.")
    return ways | {"baal": partial(baal_way, modules, pool)}


def row(members: int, what: str, times: dict[str, float]) -> str:
    """Writes one line: seconds and ratios to ours."""
    cells = [f"{value:.3f} ({value / times['ours']:.1f}x)" for value in times.values()]
    return f"| {members} | {what} | {' | '.join(cells)} |"


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--widths", type=int, nargs="+", default=[384, 256, 256, 10])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--items", type=int, default=5000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"MLP {'-'.join(map(str, given.widths))}, CPU seconds (times ours)\n")
    print("| members | training | ours | in turn | plain loop |\n|---|---|---|---|---|")
    for members in given.members:
        for dropout in (0.0, 0.25):
            ways = training_ways(members, given.widths, dropout, given.epochs)
            print(row(members, f"dropout {dropout}", compared(ways, given.rounds)), flush=True)
    print("\n| members | scoring | ours | in turn | baal's way |\n|---|---|---|---|---|")
    for members in given.members:
        ways = scoring_ways(members, given.widths, given.items)
        print(row(members, f"{given.items} items", compared(ways, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
