"""Where scans lie on this computer, outside of any case's folder.

A path may hold a patient's name, so no case holds it. This computer remembers it, by
the digest of the scan's pixels, in the user's state folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from napari_microus.core.files import atomic_write

_MOST_BYTES = 1 << 16


def places_folder() -> Path:
    """Return where the places of scans are remembered."""
    from platformdirs import user_state_path

    return user_state_path("napari-microus", appauthor=False) / "scans"


def remember_scan(pixels_sha256: str, path: str | Path) -> None:
    """Remember where a scan lies; a folder that cannot be written keeps nothing."""
    folder = places_folder()
    try:
        with atomic_write(folder / f"{pixels_sha256}.json", overwrite=True) as beside:
            beside.write_text(
                json.dumps({"path": os.path.abspath(path)}), encoding="utf-8"
            )
    except OSError:
        return


def remembered_scan(pixels_sha256: str) -> Path | None:
    """Return where a scan lay when it was last seen, None if that is gone."""
    path = places_folder() / f"{pixels_sha256}.json"
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        stated = json.loads(path.read_text(encoding="utf-8"))
        found = Path(stated["path"])
        return found if found.exists() else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
