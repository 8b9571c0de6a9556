"""One program at a time writes the manifest of a study."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_microus.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".manifest.lock"
# A manifest is written in much less.
_PATIENCE_S = 10.0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let no other program write the study's manifest meanwhile.

    Raises
    ------
    OutputError
        If another one keeps it, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=_PATIENCE_S)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"A study must be written by one program at a time; got another that "
            f"writes {folder} now. Try again in a moment."
        ) from error
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder} ({error.strerror}). Choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
