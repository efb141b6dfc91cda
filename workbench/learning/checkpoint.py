"""Checkpoints: safetensors with one JSON note, whole or not there at all.

Written to a temporary name in the same folder, flushed to the disk, renamed. The same tensors and note
give the same bytes, so the hash of the file names its content.
"""

import errno
import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
from torch import Tensor

from workbench.domain.errors import ArtifactProblem
from workbench.learning.durable import write_whole

#: One key only: safetensors does not keep several in order.
NOTE = "workbench"
REMEDY = "Type `workbench round resume`: the model is trained again."


class Checkpoint(NamedTuple):
    """What a file holds."""

    tensors: dict[str, Tensor]
    note: dict[str, Any]


class Saved(NamedTuple):
    """Where a checkpoint lies, and the hash of its bytes."""

    path: Path
    sha256: str


def write_checkpoint(
    folder: Path, stem: str, tensors: Mapping[str, Tensor], note: Mapping[str, Any]
) -> Saved:
    """Write a checkpoint under a name that holds the hash of its bytes: no other one can take its place.

    Raises:
        ArtifactProblem: It can not be written; nothing half-written stays.
    """
    content = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={NOTE: json.dumps(note, sort_keys=True)},
    )
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"{stem}-{sha256[:12]}.safetensors"
    try:
        write_whole(path, content)
    except OSError as error:
        raise ArtifactProblem(_unwritten(path, len(content), error)) from error
    return Saved(path, sha256)


def read_checkpoint(path: Path, sha256: str) -> Checkpoint:
    """Read a checkpoint whose hash is known.

    Raises:
        ArtifactProblem: It is missing, can not be read, or its bytes are others.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactProblem(
            f"The checkpoint {path} can not be read: {error.strerror or error}. {REMEDY}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ArtifactProblem(
            f"The checkpoint {path} is damaged or another one: found {len(content)} bytes with SHA-256 "
            f"{found[:12]}…, expected {sha256[:12]}…. {REMEDY}"
        )
    try:
        return Checkpoint(safetensors.torch.load(content), _note(content))
    except (safetensors.SafetensorError, ValueError, KeyError, struct.error) as error:
        raise ArtifactProblem(
            f"The file {path} is no checkpoint of the workbench: {error}. {REMEDY}"
        ) from error


def _note(content: bytes) -> dict[str, Any]:
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    note: dict[str, Any] = json.loads(header["__metadata__"][NOTE])
    return note


def _unwritten(path: Path, size: int, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: {path} needs {size} bytes, expected as many free in {path.parent}. "
            "Free some space, then type `workbench round resume`."
        )
    return (
        f"The checkpoint {path} can not be written: {error.strerror or error}. Make the folder writable, "
        "then type `workbench round resume`."
    )
