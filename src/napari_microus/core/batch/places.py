"""Where the results of a batch lie in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MEASUREMENTS = "measurements.csv"
FAILURES = "failures.csv"
SHEET = "contact_sheet.html"
SHEET_FOLDER = "contact_sheet_files"
LOCK = ".napari-microus-batch.lock"

_SUFFIX = ".nii.gz"


def mask_path(output: Path, name: str) -> Path:
    """Return where the mask of a scan is written."""
    return output / f"{name}_capsule{_SUFFIX}"


def probability_path(folder: Path, name: str) -> Path:
    """Return where the probability map of a scan is written."""
    return folder / f"{name}_probability{_SUFFIX}"


def picture_path(output: Path, name: str) -> Path:
    """Return where the picture of a scan for the contact sheet is written."""
    return output / SHEET_FOLDER / f"{name}.jpg"
