"""Losses and networks of other installed packages, found by their entry points.

A package offers one by a line in its ``pyproject.toml``, which installing it makes
known to Python; nothing is imported before it is asked for by its name::

    [project.entry-points."napari_microus.losses"]
    squared_error = "my_package.losses:SquaredError"

    [project.entry-points."napari_microus.networks"]
    my_net = "my_package.networks:MyNet"
"""

from __future__ import annotations

import hashlib
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

LOSSES = "napari_microus.losses"
NETWORKS = "napari_microus.networks"


def offered(group: str) -> tuple[str, ...]:
    """Return the names that installed packages offer in a group, sorted."""
    return tuple(sorted({found.name for found in entry_points(group=group)}))


def provider(group: str, name: str) -> str:
    """Return package and version that offer a name, as "my-package 1.2"; "" if none."""
    found = _find(group, name)
    if not found or found[0].dist is None:
        return ""
    return f"{found[0].dist.name} {found[0].dist.version}"


def check_offered(
    group: str, name: str, what: str, ours: tuple[str, ...] | list[str]
) -> None:
    """Refuse a name that is neither ours nor offered by one installed package.

    Parameters
    ----------
    group, name : str
        What is looked for.
    what : str
        The setting, for the sentence.
    ours : sequence of str
        Names that come with this package; those go first.

    Raises
    ------
    ConfigError
        If there is none, or several packages offer it.
    """
    if name in ours:
        return
    found = _find(group, name)
    if not found:
        known = ", ".join(repr(one) for one in (*ours, *offered(group)))
        raise ConfigError(
            f"{what} must be one of {known}; got {name!r}. Choose one, or install the "
            "package that offers it.",
            plain=(
                f"{what} is {name!r}, which nothing here offers. Choose one of "
                f"{known}, or install the package that offers it."
            ),
        )
    if len(found) > 1:
        packages = ", ".join(sorted(map(_package, found)))
        raise ConfigError(
            f"{what} must be offered by one package; got {name!r} of {packages}. "
            "Uninstall all but one.",
            plain=(
                f"{what} is {name!r}, which several packages offer: "
                f"{packages}. Uninstall all but one."
            ),
        )


def build(group: str, name: str, given: Mapping[str, Any], options: Any) -> Any:
    """Return what a package's factory makes: an ``nn.Module``.

    Parameters
    ----------
    group, name : str
        An entry point that `check_offered` let pass.
    given : mapping
        Keyword arguments that we decide.
    options : mapping
        The user's own.

    Raises
    ------
    ConfigError
        If the package cannot be imported, refuses the options, or makes no module.
    """
    from torch import nn

    found = _find(group, name)
    if not found:
        raise ConfigError(
            f"'{name}' must be offered by an installed package; got none. Install it.",
            plain=f"No installed package offers '{name}'. Install the one that does.",
        )
    entry = found[0]
    where = f"'{name}' ({entry.value}) of {_package(entry)}"
    twice = sorted(given.keys() & options.keys())
    if twice:
        raise ConfigError(
            f"The options of {where} must leave {', '.join(given)} to the other "
            f"settings; got {', '.join(twice)}. Take that out.",
            plain=(
                f"The options of {where} hold {', '.join(twice)}, which other "
                "settings decide. Take that out."
            ),
        )
    try:
        made = entry.load()(**given, **options)
    except Exception as error:
        raise ConfigError(
            f"A package's factory must give a module; got {type(error).__name__} from "
            f"{where}: {error}. Correct its options, or the package.",
            plain=(
                f"{where} cannot be made ({type(error).__name__}: {error}). "
                "Correct its options, or the package."
            ),
        ) from error
    if not isinstance(made, nn.Module):
        raise ConfigError(
            f"A package's factory must give a torch.nn.Module; got a "
            f"{type(made).__name__} from {where}. Correct the package.",
            plain=(
                f"{where} makes a {type(made).__name__}, which is no module of "
                "PyTorch. Correct the package."
            ),
        )
    return made


def source_digest(group: str, name: str) -> str:
    """Return the SHA-256 of the Python files of the package that offers a name.

    A package that is being written changes without its version.
    """
    found = _find(group, name)
    if not found:
        return ""
    spec = find_spec(found[0].module.partition(".")[0])
    if spec is None:
        return ""
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and spec.origin is not None:
        files = [Path(spec.origin)]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _find(group: str, name: str) -> list[EntryPoint]:
    """Return the entry points of a name, one for each package."""
    found = {_package(one): one for one in entry_points(group=group, name=name)}
    return list(found.values())


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else entry.dist.name
