"""Where the user's models lie."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "NAPARI_MICROUS_MODELS"


def library_folder() -> Path:
    """Return the folder of the user's models; it need not exist yet."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("napari-microus", appauthor=False) / "models"
