"""The plugin's keys: told to napari, changeable in its preferences, on one sheet.

napari 0.9 reads keys from no manifest; its own actions are registered with its action
manager, which the preferences edit, and so are ours. The manifest names the same
commands and keys (a test compares them), for the command palette and later versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLUGIN = "napari-microus"


@dataclass(frozen=True)
class KeyAction:
    """What a key does.

    Attributes
    ----------
    name : str
        Of the command in the manifest, without the plugin's name.
    key : str
        The key it has until a user changes it, "" where it has none.
    words : str
        What it does, for the preferences and the sheet.
    """

    name: str
    key: str
    words: str


def register(action: KeyAction, do: Callable[[Any], None]) -> None:
    """Bind a key in every viewer; ``do`` is called with the viewer.

    A key that the user chose in the preferences stays.
    """
    from napari.components import ViewerModel
    from napari.settings import get_settings
    from napari.utils.action_manager import action_manager

    def command(viewer: ViewerModel) -> None:
        do(viewer)

    name = f"{PLUGIN}:{action.name}"
    words = f"{action.words} (MicroUS)"
    action_manager.register_action(name, command, words, ViewerModel)
    if action.key and name not in get_settings().shortcuts.shortcuts:
        action_manager.bind_shortcut(name, action.key)


def key_of(action: KeyAction) -> str:
    """Return the keys that an action has now, as the user's system writes them."""
    from napari.settings import get_settings
    from napari.utils.interactions import Shortcut

    chosen = get_settings().shortcuts.shortcuts.get(f"{PLUGIN}:{action.name}")
    if chosen is None:
        return action.key
    return ", ".join(Shortcut(key).platform for key in chosen)


def sheet(
    parent: QWidget, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]
) -> QDialog:
    """Return a window that lists keys and what they do, by groups.

    Parameters
    ----------
    parent : QWidget
        In the middle of whose window it opens.
    groups : sequence of (str, sequence of (str, str))
        Title, then key and words of each line.
    """
    dialog = QDialog(parent)
    dialog.setWindowTitle("Keys of MicroUS")
    grid = QGridLayout()
    grid.setHorizontalSpacing(16)
    line = 0
    for title, lines in groups:
        head = QLabel(f"<b>{title}</b>")
        grid.addWidget(head, line, 0, 1, 2)
        line += 1
        for key, words in lines:
            name = QLabel(key or "–")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(name, line, 0)
            grid.addWidget(QLabel(words), line, 1)
            line += 1
    note = QLabel("Keys can be changed in Preferences ▸ Shortcuts.")
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.addLayout(grid)
    column.addWidget(note)
    column.addWidget(buttons)
    return dialog
