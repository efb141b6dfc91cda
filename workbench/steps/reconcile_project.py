"""Compare how the labeler's project is set up with how it should be, and put back what may be put back.

Classes and the labeling interface are never changed here: labels depend on them, and whoever changed them had
a reason. What differs is named, with what uses it and what to type.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from connectors.labelers.records import ProjectFacts
from workbench.domain.reconcile import Finding, Kind, Outcome
from workbench.domain.records import LabelerLink
from workbench.domain.rounds import Round, RoundState
from workbench.steps.parts import Parts
from workbench.steps.push import model_version, open_project, project_spec
from workbench.steps.reconcile_attempt import EVENT, done, note
from workbench.storage.statements import chunked
from workbench.storage.store import Transaction

AGAIN = "then type `workbench reconcile --fix`"


class Setup(NamedTuple):
    """What was found about the project as a whole, and whether tasks can be sent to it."""

    findings: list[Finding]
    fits: bool


def target_of(parts: Parts, link: LabelerLink) -> str:
    """Which of the labeler's projects is meant: that of workbench.toml, else the one we know."""
    named = parts.config.labeler.project_id
    return link.external_id if named is None else str(named)


def gone(parts: Parts, project: str) -> Finding:
    """Say that the labeler has no such project any more, and what can be done."""
    named = parts.config.labeler.project_id is not None
    first = (
        "Take project_id out of [labeler] in workbench.toml, or name another project there; " if named else ""
    )
    return Finding(
        kind=Kind.PROJECT,
        outcome=Outcome.PERSON,
        found=f"The labeler has no project {project} any more, or the key's user may not see it. Labels that "
        "were read are kept here; nothing was changed.",
        action=f"Put it back from the labeler's own backup. Or go on in another one: {first}"
        "`workbench reconcile --fix --new-project` makes a new one and sends it what waits for an answer.",
    )


def start_anew(parts: Parts) -> LabelerLink:
    """Make or find a project under our title, and read and write there from now on."""
    remote = parts.labeler.open_project(project_spec(parts, None))
    link = LabelerLink(labeler=parts.labeler.name, external_id=remote.project_id, url=remote.url)
    with parts.store.begin() as tx:
        tx.projects.lock(parts.project.id)
        tx.projects.save_link(parts.project.id, link)
        words = f"project: project {remote.project_id} at the labeler is used from now on"
        tx.results.note(parts.project.id, EVENT, words)
    return link


def compare_setup(parts: Parts, facts: ProjectFacts, live: Round | None, *, fix: bool) -> Setup:
    """Compare the settings; with ``fix`` those are put back that change no label."""
    with parts.store.read() as tx:
        unfit = _unfit(parts, tx, facts)
        link = tx.projects.link(parts.project.id, parts.labeler.name)
    settings = [*(_other_project(parts, link) if link else []), *_settings(parts, facts)]
    if fix and settings and not unfit:
        open_project(parts)
        settings = done(settings)
        with parts.store.begin() as tx:
            note(parts, tx, settings)
    return Setup([*unfit, *settings, *_release(parts, facts, live)], fits=not unfit)


def _other_project(parts: Parts, link: LabelerLink) -> list[Finding]:
    target = target_of(parts, link)
    if target == link.external_id:
        return []
    return [
        Finding(
            kind=Kind.PROJECT,
            outcome=Outcome.FIXABLE,
            found=f"workbench.toml names project {target}, and the tasks were sent to {link.external_id}.",
            action=f"project {target} is used from now on",
        )
    ]


def _unfit(parts: Parts, tx: Transaction, facts: ProjectFacts) -> list[Finding]:
    if facts.problem is not None:
        return [
            Finding(
                kind=Kind.CONTROL,
                outcome=Outcome.PERSON,
                found=facts.problem,
                action=f"Mend the labeling interface, {AGAIN}. Nothing is sent until then.",
            )
        ]
    missing = [name for name in parts.project.classes if name not in facts.classes]
    extra = [name for name in facts.classes if name not in parts.project.classes]
    return [_classes(parts, tx, missing, extra)] if missing or extra else []


def _classes(parts: Parts, tx: Transaction, missing: Sequence[str], extra: Sequence[str]) -> Finding:
    labels, answers = uses(parts, tx)
    found = [
        f"'{name}' is missing there ({labels[name]} labels and {answers[name]} annotations use it)"
        for name in missing
    ]
    found += [f"'{name}' is unknown here (answers with it are kept, and are no labels)" for name in extra]
    steps = [f"write the class '{name}' again" for name in missing] + [f"take out '{name}'" for name in extra]
    return Finding(
        kind=Kind.CLASSES,
        outcome=Outcome.PERSON,
        found=f"The labeling interface has other classes: {'; '.join(found)}.",
        action=f"In the labeler's labeling interface {', '.join(steps)}, {AGAIN}. "
        "Other classes for good are a new project here, under another name.",
    )


def uses(parts: Parts, tx: Transaction) -> tuple[Counter[str | None], Counter[str | None]]:
    """Count the labels, and the annotations behind them, by class."""
    labels, answers = Counter[str | None](), Counter[str | None]()
    for chunk in chunked(tx.annotations.labels(parts.project.id)):
        labels.update(label.value for label in chunk)
        behind = {key for label in chunk for key in label.annotations}
        for versions in tx.annotations.brief_of_items(label.item_id for label in chunk).values():
            newest = {version.external_id: version for version in versions}
            answers.update(newest[key].label for key in behind & newest.keys())
    return labels, answers


def _settings(parts: Parts, facts: ProjectFacts) -> list[Finding]:
    spec = project_spec(parts, None)
    pairs = (
        ("annotations a task", facts.overlap, spec.overlap),
        ("predictions shown", facts.show_predictions, spec.show_predictions),
        ("most wanted first", facts.most_wanted_first, True),
    )
    return [
        Finding(
            kind=Kind.SETTINGS,
            outcome=Outcome.FIXABLE,
            found=f"{name}: {_plain(there)} at the labeler, expected {_plain(here)}",
            action="is put back",
        )
        for name, there, here in pairs
        if there != here
    ]


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _release(parts: Parts, facts: ProjectFacts, live: Round | None) -> list[Finding]:
    if live is None or live.position is not RoundState.LABELING:
        return []
    wanted = model_version(parts, live)
    if facts.model_version == wanted:
        return []
    return [
        Finding(
            kind=Kind.RELEASE,
            outcome=Outcome.FIXABLE,
            found=f"The labeler serves '{facts.model_version}' first, expected '{wanted}'",
            action="is released again",
            round=live.number,
        )
    ]
