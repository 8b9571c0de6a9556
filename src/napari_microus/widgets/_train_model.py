"""Put a run's model into the library, or take it back out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from napari_microus.core.errors import MicroUSError, OutputError
from napari_microus.core.library import library_folder, list_models, remove_model


def library_model(result: dict[str, Any]) -> str:
    """Return the name of the model that a run put into the library, or nothing."""
    model = result.get("model")
    if not model:
        return ""
    path = Path(str(model))
    return path.name if path.parent == library_folder() else ""


def was_held_back(result: dict[str, Any]) -> bool:
    """Tell whether a finished model stayed in its run, being worse than its start."""
    comparison = result.get("comparison") or {}
    gain = comparison.get("dice_gain")
    return bool(result.get("model")) and gain is not None and gain < 0


def promote(run: Path, name: str) -> str:
    """Copy a run's model into the library and return its name there.

    Raises
    ------
    OutputError
        If the run has no model, or the library cannot be written.
    """
    taken = {model.name for model in list_models()}
    free, number = name, 2
    while free in taken or (library_folder() / free).exists():
        free, number = f"{name}-{number}", number + 1
    target = library_folder() / free
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(mkdtemp(prefix=f".{free}.", dir=target.parent))
        try:
            shutil.copytree(run / "model", beside / free)
            os.replace(beside / free, target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"The model must be copied into the library; got {error.strerror or error} "
            f"for {target}. Check the run's folder and the free space."
        ) from error
    return free


def roll_back(run: Path, name: str) -> None:
    """Take a run's model out of the library; it stays in the run's folder.

    Raises
    ------
    MicroUSError
        If the run holds no copy of it, or the library cannot be changed.
    """
    if not (run / "model").is_dir():
        raise MicroUSError(
            f"A model that is taken back must stay in its run; got no {run / 'model'}. "
            "Remove it with 'napari-microus models remove' if you can do without."
        )
    remove_model(name)
