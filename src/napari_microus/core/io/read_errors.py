"""Sentences for files that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def damaged(path: Path, kind: str) -> InputError:
    """Return the error for a file that is cut short, damaged or foreign."""
    return InputError(
        f"A {kind} file must be complete and of that format; got {path}, which is "
        "damaged, cut short or something else. Copy or export it again."
    )
