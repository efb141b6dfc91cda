"""A labeler that does not answer: when to try again, and how long it was away, in words."""

FIRST_SECONDS = 15.0
CEILING_SECONDS = 900.0


def back_off(attempts: int, spread: float) -> float:
    """Seconds to wait after so many attempts in vain: doubled each time, up to a quarter of an hour.

    Args:
        attempts: How many have failed so far, this one included.
        spread: From 0 to 1; takes up to half of the wait away, so that not all come back at once.
    """
    # Beyond some attempts the ceiling is reached anyway, and no number gets too large.
    wait = min(CEILING_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, 20))
    return wait * (1 - spread / 2)


def in_words(seconds: float) -> str:
    """A time span in its two largest units: "7 h 12 min"."""
    whole = max(0, round(seconds))
    units = (("d", whole // 86_400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {name}" for name, count in units[first : first + 2] if count) or "0 s"


def tried(attempts: int) -> str:
    """How often somebody was tried: "tried once", "tried 12 times"."""
    return "tried once" if attempts == 1 else f"tried {attempts} times"


def title(labeler: str) -> str:
    """A labeler's name as people write it: "label-studio" is "Label Studio"."""
    kind, _, queue = labeler.partition(":")
    words = kind.replace("-", " ").title()
    return f"{words} ({queue})" if queue else words
