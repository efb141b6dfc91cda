"""An empty Label Studio database, prepared once and copied for each first start.

Preparing takes half a minute, copying nothing. It holds no user and no key: those are made by the server
itself when it first starts on its own copy.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from connectors.errors import LabelerUnreachable

DATABASE: Final = "label_studio.sqlite3"


def copy_template(
    template: Path,
    data_dir: Path,
    program: Path,
    environment: Callable[[Path], Mapping[str, str]],
    tell: Callable[[str], None],
) -> None:
    """Give a new data directory a copy of the prepared database, preparing it first if need be.

    Raises:
        LabelerUnreachable: The program could not prepare one; the message ends with its last lines.
    """
    if (data_dir / DATABASE).exists():
        return
    if not (template / DATABASE).exists():
        tell("Preparing an empty Label Studio database (once, about half a minute) ...")
        _make(template.absolute(), program, environment)
    shutil.copyfile(template / DATABASE, data_dir / f".{DATABASE}.new")
    (data_dir / f".{DATABASE}.new").replace(data_dir / DATABASE)


def _make(template: Path, program: Path, environment: Callable[[Path], Mapping[str, str]]) -> None:
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=template.parent, prefix=".preparing-") as work:
        _migrate(Path(work), program, environment(Path(work)))
        ready = Path(work) / "ready"
        ready.mkdir()
        (Path(work) / DATABASE).replace(ready / DATABASE)
        with suppress(OSError):  # somebody else was faster: theirs is as good
            ready.replace(template)


def _migrate(work: Path, program: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603  (the program the user named)
        [str(program), "init", "--quiet"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0 or not (work / DATABASE).exists():
        tail = "\n  ".join(done.stderr.decode(errors="replace").splitlines()[-8:])
        raise LabelerUnreachable(f"{program} could not prepare a database. Its last lines:\n  {tail}")
