"""The plugin's keys: registered with napari, changeable in its preferences.

napari 0.9 reads keys from no manifest; its own actions are registered with its action
manager, which the preferences edit, and so are ours. The manifest names the same
commands and keys (a test compares them), for the command palette and later versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

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
