"""What the *Train* dock says about a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_microus.core.runs.folder import RunStatus
    from napari_microus.core.runs.history import RunHistory

_PHASES = {
    "": "looking …",
    "starting": "starting the process …",
    "preparing": "preparing the data …",
    "pausing": "pausing after this step …",
    "continuing": "continuing …",
    "stopping": "stopping …",
    "stopped": "stopped, can be resumed",
    "interrupted": "interrupted, can be resumed",
}


def duration(seconds: float) -> str:
    """Return a time span as a person would say it."""
    if seconds < 90:
        return f"{max(round(seconds), 0)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def phase(state: str, history: RunHistory) -> str:
    """Return what a run is doing."""
    if state == "running" and history.started is None:
        state = "preparing"
    words = _PHASES.get(state, state)
    device = history.started.device if history.started is not None else ""
    return f"{words} on {device}" if device and state == "running" else words


def figures(history: RunHistory) -> str:
    """Return the run's numbers of the moment, in one or two lines."""
    parts = []
    batch, best = history.batch, history.best
    if batch is not None:
        parts.append(f"{batch.frames_per_s:.1f} frames/s")
        if batch.memory_mib:
            parts.append(f"{batch.memory_mib:,.0f} MiB")
        if batch.gamma is not None:
            parts.append(f"gamma {batch.gamma:.2f}")
    lines = [" · ".join(parts)] if parts else []
    if best is not None and best.val_dice is not None:
        words = f"Best DSC {best.val_dice:.3f}"
        if best.val_hd95_mm is not None:
            words += f", HD95 {best.val_hd95_mm:.2f} mm"
        words += f" in epoch {best.epoch + 1}"
        ceiling = history.started.human_dice if history.started is not None else None
        if ceiling is not None:
            words += f"; the annotators agree to {ceiling:.3f}"
        lines.append(words)
    return "\n".join(lines)


def ending(state: str, status: RunStatus, history: RunHistory, model: str) -> str:
    """Return the sentence with which a run ends."""
    if state == "finished":
        words = "Finished."
        if status.best_dice is not None:
            words = f"Finished with a DSC of {status.best_dice:.3f}."
        if model:
            return f"{words} The model '{model}' is in the library."
        return f"{words} The model lies in the run's folder."
    if state == "stopped":
        kept = f" The best model so far is kept as '{model}'." if model else ""
        return f"Stopped.{kept} Resume continues exactly where it ended."
    return status.message or history.failure or "The run ended without a word."
