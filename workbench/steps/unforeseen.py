"""What goes wrong while evidence is gathered: it is said in words, and no round fails by it."""

from workbench.domain.errors import ArtifactProblem, ModelProblem, PoolProblem

#: What arithmetic on strange numbers raises, a full memory, and findings that nobody would have written.
INCALCULABLE = (
    ArithmeticError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    MemoryError,
)
#: The same, and what can not be read or computed. Never the database's own errors: those are for the round.
UNFORESEEN = (ArtifactProblem, ModelProblem, PoolProblem, OSError, *INCALCULABLE)


def in_words(error: BaseException) -> str:
    """What went wrong, also where an error has no words of its own."""
    return str(error) or type(error).__name__
