"""Arrays as one compressed block of bytes in the database, and back."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.domain.errors import ArtifactProblem

#: What reading bytes raises that nobody wrote.
_DAMAGE = (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write arrays as one compressed block of bytes; the same arrays give the same bytes."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def unpack_arrays(content: bytes, kinds: Mapping[str, Any], what: str) -> dict[str, NDArray[Any]]:
    """Read what ``pack_arrays`` wrote.

    Args:
        kinds: The types of the arrays that are wanted, by name.
        what: What they are, for whoever reads of the damage.

    Raises:
        ArtifactProblem: The bytes are damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            arrays = {name: found[name] for name in kinds}
    except _DAMAGE as error:
        raise damaged(what) from error
    if any(arrays[name].dtype != kind for name, kind in kinds.items()):
        raise damaged(what)
    return arrays


def damaged(what: str) -> ArtifactProblem:
    """Say what can not be read."""
    return ArtifactProblem(
        f"{what} in the database are damaged and can not be read. "
        "Restore a backup with `workbench restore` to have them back; rounds go on without them."
    )
