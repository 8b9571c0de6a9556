"""Whether napari hands scans and folders to our reader without asking.

napari asks which plugin is to read a file where two can, and keeps the answer by
what the name ends with, for a folder by its place alone. Its preferences take a pattern
for all folders too, which this writes there; they show and remove it under
*Preferences ▸ Plugins*.
"""

from __future__ import annotations

from napari.plugins.utils import get_filename_patterns_for_reader
from napari.settings import get_settings

PLUGIN = "napari-microus"
#: What napari compares the place of a folder with, on Windows too.
FOLDERS = "*/"


def opens_unasked() -> bool:
    """Return whether folders and every kind of scan go to our reader."""
    chosen = get_settings().plugins.extension2reader
    return all(chosen.get(pattern) == PLUGIN for pattern in _patterns())


def open_unasked(is_on: bool) -> None:
    """Let napari open folders and scans with our reader, or ask again.

    What the user has chosen for a single place stays, and comes first.
    """
    settings = get_settings().plugins
    chosen = dict(settings.extension2reader)
    for pattern in _patterns():
        if is_on:
            chosen[pattern] = PLUGIN
        elif chosen.get(pattern) == PLUGIN:
            del chosen[pattern]
    settings.extension2reader = chosen


def _patterns() -> list[str]:
    return [FOLDERS, *sorted(get_filename_patterns_for_reader(PLUGIN))]
