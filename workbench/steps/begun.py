"""A round ends by the overlap it began with: that is what its tasks are promised and served by.

Changed in the configuration while a round is open, the number would be another here than at the labeler, and
the round would wait for answers that nobody is asked for. It takes effect with the next round.
"""

from dataclasses import replace

from workbench.steps.parts import Parts


def as_begun(parts: Parts) -> Parts:
    """The same project with the overlap of its open round, if there is one."""
    settings = parts.config.labeler
    with parts.store.read() as tx:
        current = tx.rounds.unfinished(parts.project.id)
        overlap = settings.overlap if current is None else tx.wanted.overlap_of(current.id)
    if overlap in (None, settings.overlap):
        return parts
    labeler = settings.model_copy(update={"overlap": overlap})
    return replace(parts, config=parts.config.model_copy(update={"labeler": labeler}))
