"""Put a run's model into the library, without opening it."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import OutputError
from napari_microus.core.library import copy_model, library_folder, list_models

if TYPE_CHECKING:
    from collections.abc import Iterator


def promote(run: str | Path, name: str, *, replace: Path | None = None) -> Path:
    """Put a run's model into the library under ``name``, or that and a number.

    To take it back, remove it from the library: the model it started from is still
    there.

    Parameters
    ----------
    run : path
        Run folder with a finished model.
    name : str
        Name wanted.
    replace : Path, optional
        Model of the library whose place it takes.

    Raises
    ------
    OutputError
        If the run has no model, or the library cannot be written.
    """
    target = replace
    if target is None:
        bundled = {model.name for model in list_models() if model.is_bundled}
        places = _places(name)
        target = next(p for p in places if not p.exists() and p.name not in bundled)
    source = Path(run) / "model"
    if not source.is_dir():
        raise OutputError(
            f"A run must have made a model to put into the library; got {run} without "
            "one. Resume it until its first validation.",
            plain=(
                f"The run {run} has made no model yet. Resume it until its first "
                "validation."
            ),
        )
    is_known = replace is not None
    return copy_model(source, target, overwrite=is_known, share_weights=True)


def _places(name: str) -> Iterator[Path]:
    """Return ``name`` in the library, then that with a number, and so on."""
    yield library_folder() / name
    for number in itertools.count(2):
        yield library_folder() / f"{name}-{number}"


def earlier_copy(own: Path, name: str) -> Path | None:
    """Return the model of the library that this run put there when it was stopped.

    Its configuration names the run, and with card and figures it is still that of
    the run's own copy: what somebody has edited since, or renamed, is theirs.
    """
    described = ("config.yaml", "model_card.md", "metrics.json")
    try:
        mine = [(own / file).read_bytes() for file in described]
    except OSError:
        return None
    for place in itertools.takewhile(Path.exists, _places(name)):
        with contextlib.suppress(OSError):
            if [(place / file).read_bytes() for file in described] == mine:
                return place
    return None
