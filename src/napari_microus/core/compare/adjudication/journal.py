"""Keep unsaved decisions through a crash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
    write_document,
)
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def journal_folder() -> Path:
    """Return the folder on this computer in which journals lie."""
    from platformdirs import user_state_path

    return user_state_path("napari-microus", appauthor=False) / "adjudications"


def journal_path(
    expert: str, nonexpert: str, shape: Sequence[int], folder: Path | None = None
) -> Path:
    """Return the journal of one pair of masks, named without their names.

    Parameters
    ----------
    expert, nonexpert : str
        What tells the masks from others: their files, or the layers' names.
    shape : sequence of int
        Their shape.
    folder : Path, optional
        Where journals lie; None takes `journal_folder`.
    """
    key = "\n".join([expert, nonexpert, *(str(size) for size in shape)])
    name = hashlib.sha256(key.encode()).hexdigest()[:20]
    return (folder or journal_folder()) / f"{name}.json"


def write_journal(document: dict[str, Any], path: Path) -> None:
    """Replace the journal at ``path`` whole."""
    write_document(document, path, overwrite=True)


def read_journal(path: Path) -> dict[str, Any] | None:
    """Return the document in a journal, or None if there is none to resume.

    A journal that cannot be read is kept aside under another name.
    """
    if not path.exists():
        return None
    try:
        return read_document(path)
    except InputError:
        path.replace(path.with_suffix(".unreadable"))
        return None


def remove_journal(path: Path) -> None:
    """Remove the journal after its decisions were saved."""
    path.unlink(missing_ok=True)
