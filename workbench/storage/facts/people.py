"""Whose names may stand in the words of a project."""

import re

import sqlalchemy as sa

from workbench.storage.facts.moment import Moment
from workbench.storage.tables import annotation, event, terms

#: The product itself, and a process: machine, number, start.
_NOBODY = re.compile(r"workbench|[^:]*:\d+(:.*)?")


def annotators(moment: Moment) -> set[str]:
    """Everybody who had annotated by then."""
    by_then = sa.and_(annotation.c.project_id == moment.project.id, annotation.c.received_at <= moment.at)
    return set(
        moment.connection.execute(sa.select(annotation.c.annotator).where(by_then).distinct()).scalars()
    )


def people(moment: Moment) -> set[str]:
    """Everybody who had annotated, or done anything else that was written down."""
    project_id = moment.project.id
    acted = sa.select(event.c.actor).where(event.c.project_id == project_id, event.c.at <= moment.at)
    changed = sa.select(terms.c.actor).where(terms.c.project_id == project_id, terms.c.at <= moment.at)
    found = {
        name
        for statement in (acted, changed)
        for name in moment.connection.execute(statement.distinct()).scalars()
        if not _NOBODY.fullmatch(name)
    }
    return found | annotators(moment)
