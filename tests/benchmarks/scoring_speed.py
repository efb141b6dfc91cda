"""Speed of BALD scores by MC dropout: this package, baal and a plain loop, as CPU seconds of one thread.

    python tests/benchmarks/scoring_speed.py [--rounds 5] [--only NAME]

baal: ``ModelWrapper.predict_on_dataset`` of the patched model, then ``BALD``; with its defaults except for no
worker processes, and in its best setting (``MCCachingModule``, no replication in memory). The loop: T passes
in batches of 256 with the dropout layers in training mode. Rounds are interleaved; a ratio is one of medians.
All compute T passes with dropout for every item; the masks differ. The last column is the share of the
machine's arithmetic: what the network needs for one pass up to its first dropout and T passes from there on
(convolutions and linear layers, none left out), per second, over the fastest matrix product measured in the
same process; above 1 where dropped units are never computed. baal's caching can not take the transformer,
where both of baal's columns are its default, and baal leaves the dropout inside attention off.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import structlog
import torch
from scoring_cases import Case, cases
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.data import TensorDataset

import acquisition

Way = Callable[[], object]
HEADER = "| network | T | items | baal | baal, best | loop | here | ÷ baal | ÷ best | ÷ loop | arithmetic |"


def baal_way(model: nn.Module, pool: Tensor, n_samples: int, *, caching: bool) -> Way:
    """Prepares baal's prediction and BALD."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from baal.active.heuristics import BALD
        from baal.bayesian.caching_utils import MCCachingModule
        from baal.bayesian.dropout import patch_module
        from baal.modelwrapper import ModelWrapper, TrainingArgs

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    patched = patch_module(model, inplace=False)
    patched = MCCachingModule(patched) if caching else patched
    settings = TrainingArgs(batch_size=32, use_cuda=False, workers=0, replicate_in_memory=not caching)
    wrapper = ModelWrapper(patched, settings)
    return lambda: BALD().get_ranks(wrapper.predict_on_dataset(TensorDataset(pool), n_samples, verbose=False))


def plain_way(model: nn.Module, pool: Tensor, n_samples: int) -> Way:
    """Prepares T passes in batches of 256 with dropout on, and BALD of them."""
    model.eval()
    for layer in model.modules():
        if isinstance(layer, _DropoutNd | nn.MultiheadAttention | nn.TransformerEncoderLayer):
            layer.train()

    def run() -> Tensor:
        with torch.inference_mode():
            passes = [torch.cat([model(x).softmax(-1) for x in pool.split(256)]) for _ in range(n_samples)]
            probs = torch.stack(passes)
            mean = probs.mean(0)
            entropies = torch.special.xlogy(probs, probs).sum(-1).mean(0)
            return entropies - torch.special.xlogy(mean, mean).sum(-1)

    return run


def our_way(model: nn.Module, pool: Tensor, n_samples: int) -> Way:
    """Prepares the stream of scores; masks are drawn anew in each round."""
    return lambda: list(acquisition.score_pool(acquisition.mc_dropout(model), pool, n_samples=n_samples))


def seconds(call: Way) -> float:
    """Measures one call in CPU seconds."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compared(ways: list[Way], rounds: int) -> list[float]:
    """Returns the median CPU seconds of each way, rounds interleaved, one warm-up round."""
    times = [[seconds(way) for way in ways] for _ in range(rounds + 1)][1:]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def needed(case: Case) -> float:
    """Counts the arithmetic of a case: all before the first active dropout once, the rest T times."""
    model, found, dropped = case.factory().eval(), [0.0, 0.0], [False]

    def note(layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        per_output = layer.weight[0].numel()  # type: ignore[operator, index, union-attr]
        found[dropped[0]] += 2.0 * per_output * output.numel()

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(note)
        elif isinstance(layer, _DropoutNd) and layer.p:
            layer.register_forward_hook(lambda *_: dropped.__setitem__(0, True))
        elif isinstance(layer, nn.TransformerEncoderLayer):
            layer.train()  # the fused path calls no layer
    with torch.no_grad():
        model(torch.randn(1, *case.shape))
    return case.items * (found[0] + case.samples * found[1])


def fastest_product() -> float:
    """Measures operations per second of a product of 1024 × 1024 matrices in float32."""
    from acquisition.products import linear

    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    ways: list[Way] = [lambda: a @ b.T, lambda: linear(a, b)]
    return 2 * 1024**3 / min(seconds(way) for _ in range(8) for way in ways)


def row(case: Case, rounds: int) -> str:
    """Measures one case."""
    torch.manual_seed(0)  # noqa: TID251 - a script of its own
    model, pool = case.factory().eval(), torch.randn(case.items, *case.shape)
    ways = [
        baal_way(model, pool, case.samples, caching=False),
        baal_way(model, pool, case.samples, caching=case.caches),
        our_way(case.factory().eval(), pool, case.samples),
        plain_way(case.factory(), pool, case.samples),
    ]
    default, best, ours, loop = compared(ways, rounds)
    share = needed(case) / ours / fastest_product()
    return (
        f"| {case.name} | {case.samples} | {case.items:,} | {default:.3f} | {best:.3f} | {loop:.3f} "
        f"| {ours:.4f} "
        f"| {default / ours:.1f}× | {best / ours:.1f}× | {loop / ours:.1f}× | {share:.0%} |"
    )


def main() -> None:
    """Runs the cases and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a network's name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{HEADER}\n{'|---' * 11}|")
    for case in cases():
        if arguments.only.lower() in case.name.lower():
            print(row(case, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
