"""What the process says of itself: one line for each thing that happened, for people or for programs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

Write = Callable[[str], None]


class Diary:
    """Writes lines. What has not changed since it was said last of a project is not said again."""

    def __init__(self, write: Write, *, as_json: bool = False) -> None:
        self._write = write
        self._as_json = as_json
        self._said: dict[str, str] = {}

    def say(self, kind: str, words: str, project: str | None = None) -> None:
        """Write a line."""
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        plain = " ".join(words.split())
        if self._as_json:
            line = {"at": at, "project": project, "kind": kind, "words": plain}
            self._write(json.dumps(line, ensure_ascii=False))
        else:
            self._write(f"{at}  {project or 'worker'}  {kind}: {plain}")

    def say_once(self, kind: str, words: str, project: str) -> None:
        """Write a line, if it is not what was said last of this project."""
        if self._said.get(project) != words:
            self.say(kind, words, project)
        self._said[project] = words
