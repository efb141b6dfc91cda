"""Seeds follow from names, everywhere the same."""

from workbench.domain.seeds import derive_seed, fraction


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive_seed(7, "round", 3) == 69785427
    assert derive_seed(7, "round", 3) != derive_seed(7, "round", 4)


def test_a_fraction_is_spread_evenly() -> None:
    values = [fraction(1, "x", number) for number in range(4000)]
    assert 0 <= min(values) < max(values) < 1
    assert 0.48 < sum(values) / len(values) < 0.52
