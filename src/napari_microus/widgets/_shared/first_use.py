"""Show the welcome panel once, beside the first of our docks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_microus.widgets._shared.opening import WELCOME, open_dock, raise_dock

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtWidgets import QWidget


#: The dock of the demo's steps, beside which the panel would be one too many.
DEMO_STEPS = "Three steps"


def _mark() -> Path:
    from platformdirs import user_state_path

    return user_state_path("napari-microus", appauthor=False) / "welcome-was-seen"


def was_welcomed() -> bool:
    """Return whether the panel was shown to this user before."""
    return _mark().exists()


def note_welcomed() -> None:
    """Remember that the panel was shown; where nothing can be kept, forget it."""
    mark = _mark()
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def welcome_once(dock: QWidget, viewer: Any) -> None:
    """Open the panel as a tab beside ``dock`` where nobody has seen it.

    One above the other they would both be too low on a small screen. It is in front,
    unless something is open to work on: then the dock that was asked for is.
    """
    window = getattr(viewer, "window", None)
    if window is None or DEMO_STEPS in window.dock_widgets or was_welcomed():
        return
    note_welcomed()

    def show() -> None:
        if dock.isVisible():
            open_dock(viewer, WELCOME)
            if viewer.layers:
                raise_dock(dock)

    # After the dock itself, which is being shown; never once it has gone.
    soon = QTimer(dock)
    soon.setSingleShot(True)
    soon.timeout.connect(show)
    soon.start(0)
