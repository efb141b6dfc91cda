"""Everything that can go wrong in ``acquisition``, as a tree.

AcquisitionError
├── UnknownMethod        a name that is in no catalog
├── InvalidOption        an option that a method does not take, or a value outside its range
├── InvalidInput         a tensor of the wrong shape, type or content
│   └── NotFinite        NaN or infinity where a number is needed
└── NotStochastic        a posterior whose samples can not differ (no dropout, one member)
"""


class AcquisitionError(Exception):
    """The base of all errors of this package."""


class UnknownMethod(AcquisitionError):
    """A method name that no catalog lists."""


class InvalidOption(AcquisitionError):
    """An option that a method does not take, or a value outside its range."""


class InvalidInput(AcquisitionError):
    """A tensor of the wrong shape, type or content."""


class NotFinite(InvalidInput):
    """NaN or infinity where a number is needed.

    Attributes:
        rows: The offending rows, counted over the whole input, at most the first hundred.
    """

    def __init__(self, message: str, rows: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.rows = rows


class NotStochastic(AcquisitionError):
    """A posterior whose samples can not differ: a model without dropout, an ensemble of one."""
