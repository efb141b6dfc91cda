"""Seeds that follow from other seeds, the same on every machine."""

import hashlib


def derive_seed(seed: int, *names: object) -> int:
    """A seed in ``[0, 2**31)`` for a purpose, from the project's seed and the names of the purpose."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFFFFFF


def fraction(seed: int, *names: object) -> float:
    """A number in ``[0, 1)`` that follows from a seed and names: a coin that always falls the same way."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]) / 2**56
