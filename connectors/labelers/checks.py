"""What every labeler refuses before it sends anything, in the same words."""

from collections.abc import Sequence
from typing import Final

from connectors.errors import LabelerRefused
from connectors.labelers.records import OutgoingTask

TITLE_LENGTH: Final = range(3, 51)


def check_title(title: str) -> None:
    """Refuse a title that Label Studio would not take.

    Raises:
        LabelerRefused: It is shorter than 3 or longer than 50 characters.
    """
    if len(title.strip()) not in TITLE_LENGTH or title != title.strip():
        raise LabelerRefused(
            f"The project's title {title!r} has {len(title.strip())} characters. Give it 3 to 50, "
            "without space at either end."
        )


def check_tasks(tasks: Sequence[OutgoingTask]) -> None:
    """Refuse texts that not every labeler's database can keep; nothing is repaired silently.

    Raises:
        LabelerRefused: A task holds a NUL character or half of a surrogate pair.
    """
    for task in tasks:
        for text in (task.item_key, task.round_key, task.content, task.note or ""):
            if "\x00" in text or not _encodable(text):
                raise LabelerRefused(
                    f"Item {task.item_key!r} holds a NUL character or half a surrogate pair, which "
                    "databases do not keep. "
                    "Clean it in the source, then add it again."
                )


def check_size(tasks: Sequence[OutgoingTask], limit: int) -> None:
    """Refuse a batch that is too large for one request.

    Raises:
        LabelerRefused: The contents together take more bytes than the limit.
    """
    size = sum(len(task.content.encode()) for task in tasks)
    if size > limit:
        raise LabelerRefused(
            f"{len(tasks)} tasks of {size / 1e6:.0f} MB are too much for one request "
            f"(limit {limit / 1e6:.0f} MB). Send fewer at a time, or pictures by address instead of inline."
        )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
