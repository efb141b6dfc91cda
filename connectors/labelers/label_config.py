"""Label Studio's labeling configuration, made from classes and read back into them."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

from connectors.errors import LabelerRefused, ProjectDoesNotFit
from connectors.labelers.records import TaskType

OBJECT_TAG: Final = {TaskType.IMAGE: "Image", TaskType.TEXT: "Text"}
SINGLE: Final = frozenset({"single", "single-radio"})
#: The key of a task's data that holds its note, and the tag that shows it.
NOTE: Final = "note"
NOTE_TAG: Final = f'<Header value="${NOTE}"/>'
#: What Label Studio takes for the name of a part of the task's data, and what keeps it from doing so.
VARIABLE: Final = re.compile(r"\$(?=\w)")
INVISIBLE: Final = "\u200b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The question of a project: one choice among classes about one picture or text.

    Attributes:
        name: The control tag's name, ``from_name`` of every answer.
        target: The object tag's name, ``to_name`` of every answer.
        variable: The key of a task's data that holds the content.
        classes: The choices in order.
    """

    task_type: TaskType
    name: str
    target: str
    variable: str
    classes: tuple[str, ...]


def make_label_config(task_type: TaskType, classes: Sequence[str], *, notes: bool = False) -> str:
    """Write the configuration of a project of our own; with notes, each task shows one above its content.

    Raises:
        LabelerRefused: A class name can not be kept by the configuration's format.
    """
    kind = task_type.value
    choices = "".join(f"<Choice {_shown(name)}{_hotkey(name)}/>" for name in classes)
    config = (
        f'<View>{NOTE_TAG if notes else ""}<{OBJECT_TAG[task_type]} name="{kind}" value="${kind}"/>'
        f'<Choices name="label" toName="{kind}" choice="single" required="true" showInLine="true">'
        f"{choices}</Choices></View>"
    )
    if not _reads_back(config, classes):
        raise LabelerRefused(
            f"The class names {list(classes)!r} can not be used: they must be unique, not empty, and without "
            "control characters or space at either end. Rename them in the project's configuration."
        )
    return config


def _shown(name: str) -> str:
    """How a class is shown; ``$word`` would show that part of the task's data, or ``undefined``."""
    if VARIABLE.search(name) is None:
        return f"value={quoteattr(name)}"
    parted = VARIABLE.sub(f"${INVISIBLE}", name)
    return f"value={quoteattr(parted)} alias={quoteattr(name)}"


def _hotkey(name: str) -> str:
    """The key of a class that is a key itself: else 1 would stand for the first class, even for a 0."""
    return f' hotkey="{name}"' if len(name) == 1 and name.isascii() and name.isalnum() else ""


def _reads_back(config: str, classes: Sequence[str]) -> bool:
    if not classes or len(set(classes)) != len(classes) or any(name != name.strip() for name in classes):
        return False
    try:
        found = [_answer(tag) for tag in ET.fromstring(config).iter("Choice")]  # noqa: S314
        config.encode()
    except (ET.ParseError, UnicodeEncodeError):
        return False
    return found == list(classes) and "" not in classes


def read_label_config(config: str, task_type: TaskType) -> Control:
    """Find the one single-choice control of a picture or text.

    Raises:
        ProjectDoesNotFit: There is none, or more than one, or it asks something else.
    """
    root = _parse(config)
    targets = {tag.get("name", ""): tag for tag in root.iter(OBJECT_TAG[task_type])}
    if not targets:
        raise ProjectDoesNotFit(
            f"The labeling interface has no {OBJECT_TAG[task_type]} tag. {_expected(task_type)}"
        )
    controls = [tag for tag in root.iter("Choices") if tag.get("toName") in targets]
    if len(controls) != 1:
        found = ", ".join(repr(tag.get("name")) for tag in controls) or "none"
        raise ProjectDoesNotFit(
            f"Choices tags on that {OBJECT_TAG[task_type]}: {found}. {_expected(task_type)}"
        )
    return _control(controls[0], targets[controls[0].get("toName", "")], task_type)


def find_control(config: str) -> Control:
    """Find the one single-choice control of whatever task type a project has.

    Raises:
        ProjectDoesNotFit: Neither a picture nor a text has one.
    """
    try:
        return read_label_config(config, TaskType.IMAGE)
    except ProjectDoesNotFit:
        return read_label_config(config, TaskType.TEXT)


def check_classes(found: Sequence[str], wanted: Sequence[str]) -> None:
    """Compare two lists of classes as sets.

    Raises:
        ProjectDoesNotFit: They differ; the message names the difference.
    """
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing or extra:
        raise ProjectDoesNotFit(
            f"The project's classes differ: missing there {missing!r}, unknown here {extra!r}. "
            "Make them equal in the labeling interface or in the configuration."
        )


def _parse(config: str) -> ET.Element:
    try:
        return ET.fromstring(config)  # noqa: S314  (from the labeler we are told to trust; no external entities)
    except ET.ParseError as error:
        raise ProjectDoesNotFit(
            f"The project's labeling interface is not readable XML (line {error.position[0]})."
        ) from error


def _control(tag: ET.Element, target: ET.Element, task_type: TaskType) -> Control:
    name, variable = tag.get("name", ""), target.get("value", "")
    if tag.get("choice", "single") not in SINGLE or tag.get("perRegion") == "true":
        raise ProjectDoesNotFit(
            f'Choices {name!r} takes several answers (choice="{tag.get("choice", "single")}"). '
            f"{_expected(task_type)}"
        )
    if not variable.startswith("$") or tag.get("value"):
        raise ProjectDoesNotFit(
            f"Tag {name!r} or its target takes its content from elsewhere than a $variable and written "
            f"choices. {_expected(task_type)}"
        )
    if any(len(choice) for choice in tag.iter("Choice")):
        raise ProjectDoesNotFit(f"Choices {name!r} nests choices in choices. {_expected(task_type)}")
    choices = tuple(_answer(choice) for choice in tag.iter("Choice"))
    return Control(
        task_type=task_type,
        name=name,
        target=target.get("name", ""),
        variable=variable.removeprefix("$"),
        classes=choices,
    )


def _answer(choice: ET.Element) -> str:
    """What choosing it is stored as."""
    return choice.get("alias") or choice.get("value") or ""


def _expected(task_type: TaskType) -> str:
    tag = OBJECT_TAG[task_type]
    return (
        f"Expected exactly one single-choice Choices tag whose toName is the {tag} tag. "
        "Correct it in Label Studio under Settings, Labeling Interface."
    )
