"""Which work list was open last, and whose masks were compared in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from napari_microus.core.compare.adjudication.journal import journal_folder
from napari_microus.core.errors import OutputError
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "work_list.json"


@dataclass(frozen=True)
class Remembered:
    """A folder or study, and the two annotators; "" where nothing is known."""

    folder: str = ""
    expert: str = ""
    nonexpert: str = ""


def recall(journals: Path | None = None) -> Remembered:
    """Return what was remembered last, on this computer.

    Parameters
    ----------
    journals : Path, optional
        Where journals lie; it is remembered beside that folder. None takes the
        user's state folder.
    """
    try:
        stored = json.loads(_path(journals).read_text(encoding="utf-8"))
        return Remembered(**{key: str(value) for key, value in stored.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return Remembered()


def remember(what: Remembered, journals: Path | None = None) -> None:
    """Remember a work list; where it cannot be written, it is forgotten."""
    try:
        with atomic_write(_path(journals), overwrite=True) as part:
            part.write_text(json.dumps(asdict(what)), encoding="utf-8")
    except OutputError:
        return  # a comfort; the work itself is written elsewhere


def _path(journals: Path | None) -> Path:
    return (journals or journal_folder()).parent / _NAME
