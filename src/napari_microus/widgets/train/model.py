"""Put a run's model into the library, or take it back out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_microus.core.errors import MicroUSError
from napari_microus.core.library import library_folder, remove_model


def library_model(result: dict[str, Any]) -> str:
    """Return the name of the model that a run put into the library, or nothing."""
    model = result.get("model")
    if not model:
        return ""
    path = Path(str(model))
    return path.name if path.parent == library_folder() else ""


def was_withheld(result: dict[str, Any]) -> bool:
    """Return whether a finished model stayed in its run, being worse than its start."""
    comparison = result.get("comparison") or {}
    gain = comparison.get("dice_gain")
    return bool(result.get("model")) and gain is not None and gain < 0


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
            "Remove it with 'napari-microus models remove' if you can do without.",
            plain="The run keeps no copy of this model, so that it cannot be taken "
            "back into it. Remove it with 'napari-microus models remove' if you can do "
            "without.",
        )
    remove_model(name)
