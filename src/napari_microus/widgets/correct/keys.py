"""What the keys of *Correct capsule* do in the viewer that has the dock open."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_microus.widgets._shared.key_table import (
    APPROVE,
    CLICK,
    CORRECT,
    DOUBTFUL,
    HANDLES,
    NEXT,
    NUDGE,
)
from napari_microus.widgets._shared.keys import KeyAction, key_of, register

if TYPE_CHECKING:
    from qtpy.QtWidgets import QPushButton

    from napari_microus.widgets.correct.dock import CorrectWidget

ACTIONS = CORRECT

_docks: list[ref[Any]] = []


def open_for_keys(dock: CorrectWidget) -> None:
    """Let the keys press the buttons of this dock, as long as it exists."""
    if not _docks:
        for action in ACTIONS:
            register(action, partial(_press, action=action))
    _docks[:] = [known for known in _docks if known() is not None]
    _docks.append(ref(dock))


def lines() -> list[tuple[str, str]]:
    """Return each key and what it does, for the sheet."""
    return [(key_of(action), action.words) for action in ACTIONS]


def _press(viewer: Any, action: KeyAction) -> None:
    viewer = getattr(viewer, "__wrapped__", viewer)
    docks = [known() for known in _docks]
    ours = [d for d in docks if d is not None and d.viewer is viewer and d.isVisible()]
    if ours:  # of several on one capsule, the one that was opened last
        _button(ours[-1], action).click()


def _button(dock: CorrectWidget, action: KeyAction) -> QPushButton:
    return {
        APPROVE: dock.approve_button,
        NEXT: dock.next_button,
        DOUBTFUL: dock.doubtful_button,
        CLICK: dock.click_button,
        NUDGE: dock.nudge_button,
        HANDLES: dock.handle_button,
    }[action]


def approve_frame(viewer: Any) -> None:
    """Approve the frame in view; a command of the manifest."""
    _press(viewer, APPROVE)


def next_unapproved(viewer: Any) -> None:
    """Show the next frame that is not approved; a command of the manifest."""
    _press(viewer, NEXT)


def next_doubtful(viewer: Any) -> None:
    """Show the frame the model was least sure of; a command of the manifest."""
    _press(viewer, DOUBTFUL)


def click_to_correct(viewer: Any) -> None:
    """Switch clicks on or off; a command of the manifest."""
    _press(viewer, CLICK)


def nudge_outline(viewer: Any) -> None:
    """Switch the nudging circle on or off; a command of the manifest."""
    _press(viewer, NUDGE)


def outline_handles(viewer: Any) -> None:
    """Switch the handles on or off; a command of the manifest."""
    _press(viewer, HANDLES)
