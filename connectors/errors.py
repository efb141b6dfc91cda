"""Everything that can go wrong at the edge, as a tree.

ConnectorError
├── SourceError            a pool source that can not be read as asked
└── LabelerError
    ├── LabelerUnreachable    no answer, or a plea to wait; try again later, nothing was changed
    ├── OutcomeUnknown        a write was sent and its answer was lost: look before sending again
    ├── LabelerRefused        the labeler understood and said no (token, project, configuration, data)
    └── ProjectDoesNotFit     the labeler's project and ours disagree (no control tag, other class names)

Every message says what was found, what was expected and what to do next, and never holds a header,
a token or the body of a response.
"""


class ConnectorError(Exception):
    """The base of all errors of this package."""


class SourceError(ConnectorError):
    """A pool source that can not be read as asked."""


class LabelerError(ConnectorError):
    """The base of what a labeler can answer."""


class LabelerUnreachable(LabelerError):
    """The labeler gave no answer, or asked to wait, and nothing was changed.

    Args:
        retry_after: How many seconds it asked to wait, if it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(LabelerError):
    """A write was sent and its answer was lost: look before sending again."""


class LabelerRefused(LabelerError):
    """The labeler understood the request and refused it."""


class ProjectDoesNotFit(LabelerError):
    """The labeler's project and ours disagree."""
