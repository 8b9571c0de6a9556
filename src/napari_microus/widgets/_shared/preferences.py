"""The plugin's preferences, which napari shows under *Preferences*.

napari shows and keeps what the manifest calls ``configurations`` from 0.9.1 on, which
is the lowest version that the plugin asks for; where there are none, defaults hold.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from napari_microus.core import colors

PLUGIN = "napari-microus"
_Value = TypeVar("_Value")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_COLORS = {
    colors.CAPSULE: "capsule_color",
    colors.EXPERT: "expert_color",
    colors.NONEXPERT: "nonexpert_color",
}


def preferred(name: str, default: _Value, section: str = "segment") -> _Value:
    """Return a value of napari's *Preferences* for this plugin, or ``default``."""
    try:
        from napari.settings import get_plugin_settings

        chosen: Any = getattr(getattr(get_plugin_settings(PLUGIN), section), name)
    except (ImportError, KeyError, AttributeError):
        return default
    return chosen if isinstance(chosen, type(default)) else default


def preferred_color(color: str) -> str:
    """Return the colour that the user has chosen in place of one of ours.

    One that is not written as ``#rrggbb`` counts as not chosen.
    """
    name = _COLORS.get(color)
    chosen = color if name is None else preferred(name, color, "general")
    return chosen if _HEX.fullmatch(chosen) else color
