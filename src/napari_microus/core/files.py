"""Write a file, or a folder, whole or not at all."""

from __future__ import annotations

import glob
import os
import platform
import shutil
import time
import zlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from napari_microus.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


# This machine: another one may write into the same shared folder.
_HERE = f"{zlib.crc32(platform.node().encode()):08x}"
_DAY_S = 86400.0


@contextmanager
def atomic_write(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that is renamed to it on success.

    The temporary path keeps the file's name (writers choose a format by suffix)
    and lies in a folder of its own. On any error that folder and the folders made
    on the way to ``path`` are removed; what a process that was killed left behind is
    removed by the next one that writes there.

    Raises
    ------
    OutputError
        If ``path`` exists and ``overwrite`` is False, or the folder cannot be
        written.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    made = [p for p in (path.parent, *path.parent.parents) if not p.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Cut: the folder's name must fit where the file's own just does.
        prefix = f".{path.name[:40]}.{_HERE}-"
        _remove_left(path.parent, prefix)
        folder = Path(mkdtemp(prefix=f"{prefix}{os.getpid()}.", dir=path.parent))
    except OSError as error:
        _remove_empty(made)
        raise OutputError(
            f"Cannot write to {path.parent} ({error.strerror}). Choose another folder."
        ) from error
    is_written = False
    try:
        yield folder / path.name
        os.replace(folder / path.name, path)
        is_written = True
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"Cannot write to {path} ({error.strerror or error}). "
            "Check the free space and the permissions."
        ) from error
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
        if not is_written:
            _remove_empty(made)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` that is renamed to it on success.

    On any error it is removed, with the folders made on the way to ``path``.

    Raises
    ------
    OutputError
        If ``path`` exists and is no empty folder, or nobody may write there.
    """
    path = Path(path)
    made = [p for p in path.parents if not p.exists()]
    prefix = f".{path.name[:40]}.{_HERE}-"
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputError(
                f"{path} already exists. Choose another name, or overwrite it."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(path.parent, prefix)
        around = Path(mkdtemp(prefix=f"{prefix}{os.getpid()}.", dir=path.parent))
    except OutputError:
        raise
    except OSError as error:
        _remove_empty(made)
        raise OutputError(
            f"Cannot write to {path.parent} ({error.strerror}). Choose another folder."
        ) from error
    is_written = False
    try:
        (around / path.name).mkdir()  # with the rights of any new folder
        yield around / path.name
        if os.name == "nt" and path.exists():
            path.rmdir()  # renaming replaces an empty folder elsewhere
        os.rename(around / path.name, path)
        is_written = True
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"Cannot write to {path} ({error.strerror or error}). "
            "Check the free space and the permissions."
        ) from error
    finally:
        shutil.rmtree(around, ignore_errors=True)
        if not is_written:
            _remove_empty(made)


def _remove_left(parent: Path, prefix: str) -> None:
    """Remove temporary folders of processes of this machine that ended without it."""
    for folder in parent.glob(f"{glob.escape(prefix)}*.*"):
        owner = folder.name.removeprefix(prefix).partition(".")[0]
        if owner.isdecimal() and not _is_alive(int(owner), folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int, folder: Path) -> bool:
    if os.name == "nt":  # signal 0 would end it there; a day without a word is an end
        return time.time() - folder.stat().st_mtime < _DAY_S
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, innermost first, up to the first that others use."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return
