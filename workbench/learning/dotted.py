"""Objects of the user's own code, named as ``package.module:name`` or ``package.module.name``."""

import difflib
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.domain.errors import ModelProblem
from workbench.learning.calling import DOCTOR


def load_callable(path: str, project_root: Path | None) -> Callable[..., Any]:
    """Import a function or class of the user.

    Args:
        path: Where it is.
        project_root: The folder of ``workbench.toml``; first on ``sys.path`` during the import only.

    Raises:
        ModelProblem: No such module, an error inside it, no such name in it, or nothing that can be called.
    """
    module_name, name = _split(path)
    found = _attribute(_import(module_name, path, project_root), name)
    if not callable(found):
        raise ModelProblem(
            f"{path} is {type(found).__name__}, expected a function or class that can be called. "
            f"Name another one. {DOCTOR}"
        )
    function: Callable[..., Any] = found
    return function


def _split(path: str) -> tuple[str, str]:
    module_name, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module_name and name) or not all(
        part.isidentifier() for part in path.replace(":", ".").split(".")
    ):
        raise ModelProblem(
            f"Found {path!r}; expected 'package.module:function', for example 'my_model:build'. {DOCTOR}"
        )
    return module_name, name


def _import(module_name: str, path: str, project_root: Path | None) -> ModuleType:
    with _first_on_path(project_root):
        _forget_namesake(module_name, project_root)
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise ModelProblem(_not_found(module_name, error.name, path, project_root)) from error
        except Exception as error:
            raise ModelProblem(
                f"The module {module_name} raised {type(error).__name__} while it was imported: {error}. "
                f"Repair it. {DOCTOR}"
            ) from error


def _not_found(module_name: str, missing: str | None, path: str, project_root: Path | None) -> str:
    if missing and missing != module_name and not module_name.startswith(f"{missing}."):
        return (
            f"The module {module_name} imports {missing}, which is not installed; expected every import of "
            f"it to work. Type `pip install` with the distribution that has it. {DOCTOR}"
        )
    where = f"in {project_root} or " if project_root else ""
    return (
        f"Found no module {missing or module_name!r} for {path}; expected it {where}among the installed "
        f"packages. Check the name, or put the file there. {DOCTOR}"
    )


def _attribute(module: ModuleType, name: str) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    names = [known for known in vars(module) if not known.startswith("_")]
    near = difflib.get_close_matches(name, names, n=3) or names[:10]
    raise ModelProblem(
        f"Found no {name!r} in the module {module.__name__}; it has {', '.join(near) or 'no public names'}. "
        f"Correct the name. {DOCTOR}"
    )


@contextmanager
def _first_on_path(folder: Path | None) -> Iterator[None]:
    before = list(sys.path)
    if folder is not None:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def _forget_namesake(module_name: str, folder: Path | None) -> None:
    """Drop a module of the same name that another project's folder left behind in this process."""
    top = module_name.partition(".")[0]
    spec = None if folder is None else PathFinder.find_spec(top, [str(folder)])
    loaded = sys.modules.get(top)
    if spec is None or spec.origin is None or loaded is None:
        return
    if getattr(loaded, "__file__", None) != spec.origin:
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]
