"""The arms of a comparison."""

from enum import StrEnum


class Arm(StrEnum):
    """Whose labels a model was trained on, when several are compared."""

    #: All labels of the project.
    ACTIVE = "active"
    #: As many labels as the project has, of items drawn at random: where the truth of the pool is known.
    RANDOM = "random"
    #: The labels of the random share alone, fewer than the project has.
    CONTROL = "control"
    #: Every item of the pool: the most that labels can buy, where the truth is known.
    CEILING = "ceiling"
