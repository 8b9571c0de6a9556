"""The plugin's preferences, which napari shows under *Preferences*."""

from __future__ import annotations

from typing import Any

PLUGIN = "napari-microus"


def preferred(name: str, default: Any) -> Any:
    """Return a value of napari's *Preferences* for this plugin, or ``default``.

    Versions of napari without settings for plugins have none.
    """
    try:
        from napari.settings import get_plugin_settings

        return getattr(get_plugin_settings(PLUGIN).segment, name)
    except (ImportError, KeyError, AttributeError):
        return default
