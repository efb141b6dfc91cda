import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.selection.lazy_greedy import lazy_greedy


def cover(sets_N_U, bounds_N, at_most, above=-torch.inf):
    """A weighted cover: what is covered gives nothing a second time. Counts how many rows were looked at."""
    open_U, looked = torch.ones(sets_N_U.shape[1], dtype=torch.float64), []

    def gains(rows):
        looked.append(len(rows))
        return sets_N_U[rows] @ open_U

    def take(row):
        open_U[sets_N_U[row] > 0] = 0

    return lazy_greedy(bounds_N, gains, take, at_most, above=above), sum(looked)


def greedy(sets_N_U, n):
    open_U, gains = torch.ones(sets_N_U.shape[1], dtype=torch.float64), []
    free_N = torch.ones(len(sets_N_U), dtype=torch.bool)
    for _ in range(n):
        worth_N = (sets_N_U @ open_U).masked_fill(~free_N, -1)
        gains.append(float(worth_N.max()))
        free_N[worth_N.argmax()] = False
        open_U[sets_N_U[worth_N.argmax()] > 0] = 0
    return gains


@given(st.integers(1, 150), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_lazy_choices_are_those_of_looking_at_everybody(n_items, seed):
    generator = torch.Generator().manual_seed(seed)
    weights_U = torch.rand(30, generator=generator, dtype=torch.float64)
    sets_N_U = (torch.rand(n_items, 30, generator=generator) < 0.2) * weights_U
    n = min(n_items, 12)
    chosen, _ = cover(sets_N_U, torch.full((n_items,), torch.inf, dtype=torch.float64), n)
    torch.testing.assert_close(chosen.gains, torch.tensor(greedy(sets_N_U, n)))
    assert len(set(chosen.indices.tolist())) == n


def test_few_candidates_are_looked_at_where_bounds_are_good():
    sets_N_U = torch.eye(2000, dtype=torch.float64) * torch.arange(2000.0)
    chosen, looked = cover(sets_N_U, sets_N_U.sum(1), 10)
    assert chosen.indices.tolist() == list(range(1999, 1989, -1))
    assert looked <= 10 * 32


def test_it_stops_where_nothing_is_gained_and_never_takes_whom_it_may_not():
    sets_N_U = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    bounds_N = torch.tensor([9.0, 9.0, -torch.inf, 9.0], dtype=torch.float64)
    chosen, _ = cover(sets_N_U, bounds_N, 3, above=0.0)
    assert chosen.indices.tolist() == [0, 1]
