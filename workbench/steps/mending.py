"""Which failures pass by themselves, and which wait for a person."""

from acquisition.errors import AcquisitionError
from connectors.errors import ConnectorError, LabelerUnreachable, OutcomeUnknown
from workbench.domain.errors import ArtifactProblem, DatabaseProblem, WorkbenchError

#: What the product raises on purpose; its words are for people.
OURS = (WorkbenchError, ConnectorError, AcquisitionError)
#: The labeler or the database comes back, the disk is given room.
PASSING = (LabelerUnreachable, OutcomeUnknown, DatabaseProblem, ArtifactProblem)


def passes(error: Exception) -> bool:
    """Whether the same may succeed a moment later without anybody's help."""
    return isinstance(error, PASSING)


def in_words(error: Exception) -> str:
    """The words of an error of ours; of another one no more than its name, for it may hold anything."""
    if isinstance(error, OURS):
        return str(error)
    return f"Something unforeseen happened: {type(error).__name__}. Nothing that was recorded is lost."
