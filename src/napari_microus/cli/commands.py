"""Import every module that adds a command to the application."""

from __future__ import annotations

import napari_microus.cli.dataset  # noqa: F401
import napari_microus.cli.phantom  # noqa: F401
