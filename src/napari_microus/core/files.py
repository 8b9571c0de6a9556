"""Write a file, or a folder, whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import platform
import shutil
import time
import zlib
from contextlib import contextmanager, suppress
from os.path import exists  # False also where a name is too long, or shut off
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


# This machine: another one may write into the same shared folder.
_HERE = f"{zlib.crc32(platform.node().encode()):08x}"
_DAY_S = 86400.0
# What a file system without `fsync` answers.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
# Below the temporary folder of `atomic_folder`: what is made, and what it replaces.
_NEW, _BEFORE = "new", "before"
# Temporary folders of this process.
_in_use: set[Path] = set()


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
    if exists(path) and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    made = [p for p in (path.parent, *path.parent.parents) if not exists(p)]
    try:
        folder = folder_beside(path)
    except OSError as error:
        _remove_empty(made)
        raise OutputError(
            f"Cannot write to {path.parent} ({error.strerror}). Choose another folder."
        ) from error
    is_written = False
    try:
        yield folder / path.name
        reach_disk(folder / path.name)
        os.replace(folder / path.name, path)
        is_written = True
        reach_disk(path.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"Cannot write to {path} ({reason(error)}). "
            "Check the free space and the permissions."
        ) from error
    finally:
        _remove(folder)
        if not is_written:
            _remove_empty(made)


def check_place(path: Path) -> None:
    """See that a file or folder can be made at ``path``, before work of minutes.

    Raises
    ------
    OutputError
        If nothing can be written there; folders on the way are not kept.
    """
    made = [p for p in (path.parent, *path.parent.parents) if not exists(p)]
    try:
        folder = folder_beside(path)
        try:
            (folder / path.name).touch()  # its name may be too long
        finally:
            _remove(folder)
    except OSError as error:
        raise OutputError(
            f"Cannot write to {path} ({error.strerror}). Choose another name or folder."
        ) from error
    finally:
        _remove_empty(made)


@contextmanager
def atomic_folder(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside ``path`` that is renamed to it on success.

    On any error it is removed, with the folders made on the way to ``path``. What
    lies at ``path`` stays until then; it is back in its place after an error, and
    after a process was killed by `bring_back` or the next one that writes there.

    Raises
    ------
    OutputError
        If ``path`` exists, is no empty folder and ``overwrite`` is False, or nobody
        may write there.
    """
    path = Path(path)
    made = [p for p in path.parents if not exists(p)]
    try:
        is_taken = exists(path) and (not path.is_dir() or any(path.iterdir()))
        if is_taken and not overwrite:
            raise OutputError(
                f"{path} already exists. Choose another name, or overwrite it."
            )
        around = folder_beside(path)
    except OutputError:
        raise
    except OSError as error:
        _remove_empty(made)
        raise OutputError(
            f"Cannot write to {path.parent} ({error.strerror}). Choose another folder."
        ) from error
    is_written = False
    try:
        (around / _NEW / path.name).mkdir(parents=True)  # with a new folder's rights
        yield around / _NEW / path.name
        for folder, _, names in os.walk(around / _NEW):
            for name in names:
                reach_disk(Path(folder, name))
            reach_disk(Path(folder))
        _put(around, path, overwrite)
        is_written = True
        reach_disk(path.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        kept = "" if _is_back(around, path) else f"What was there is kept in {around}. "
        raise OutputError(
            f"Cannot write to {path} ({reason(error)}). {kept}"
            "Check the free space and the permissions."
        ) from error
    finally:
        if _is_back(around, path):
            _remove(around)
        else:
            shutil.rmtree(around / _NEW, ignore_errors=True)
        _in_use.discard(around)
        if not is_written:
            _remove_empty(made)


@contextmanager
def only_one(
    lock: Path, taken: str, *, unwritable: str = "", patience_s: float = 0.0
) -> Iterator[None]:
    """Let no other program do meanwhile what a lock stands for.

    Parameters
    ----------
    lock : Path
        An empty file, which stays; the system releases it when a process ends.
    taken, unwritable : str
        The sentences where another program has it, and where it cannot be made:
        {reason} is the system's word.
    patience_s : float
        How long to wait for another program.

    Raises
    ------
    OutputError
        With one of both.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock, timeout=patience_s)
    try:
        held.acquire()
    except Timeout as error:
        raise OutputError(taken) from error
    except OSError as error:
        said = (
            unwritable
            or f"Cannot write to {lock.parent} ({{reason}}). Choose another folder."
        )
        raise OutputError(said.replace("{reason}", str(error.strerror))) from error
    try:
        yield
    finally:
        held.release()


class PatientFile:
    """A file that takes what comes, and reports a full disk when it is closed.

    PyTorch's writer ends the whole process where a write fails within it.

    Parameters
    ----------
    path : Path
        File to write; use it as a context manager, whose end raises `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._error: OSError | None = None

    def __enter__(self) -> PatientFile:
        return self

    def write(self, part: Any) -> int:
        """Write a part, unless one before it could not be written."""
        if self._error is None:
            try:
                self._file.write(part)
            except OSError as error:
                self._error = error
        return memoryview(part).nbytes

    def flush(self) -> None:
        """Do nothing: what counts is the end."""

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None and kind is None:
            raise self._error


def append_line(path: Path, line: str) -> None:
    """Add a line to a text, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written; what was there stays as it is.
    """
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(f"{line}\n".encode())
            file.flush()
            reach_disk(path)
    except OSError as error:
        with suppress(OSError):
            if path.exists():
                os.truncate(path, size)
            if not size:
                path.unlink()
        raise OutputError(
            f"Cannot write to {path} ({reason(error)}). "
            "Check the free space and the permissions."
        ) from error


def folder_beside(path: Path) -> Path:
    """Make a temporary folder beside ``path``, and remove those of killed processes.

    Raises
    ------
    OSError
        If nobody may write there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cut: the folder's name must fit where the file's own just does.
    prefix = f".{path.name[:40]}.{_HERE}-"
    _remove_left(path.parent, prefix)
    folder = Path(mkdtemp(prefix=f"{prefix}{os.getpid()}.", dir=path.parent))
    _in_use.add(folder)
    return folder


def reach_disk(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk.

    Else a power cut soon after a rename may leave an empty file under the name. Not
    every system can do it: Windows not for folders, some network disks not at all.

    Raises
    ------
    OSError
        If the disk says that what was written is lost.
    """
    is_folder = path.is_dir()
    if path.is_symlink() or (is_folder and os.name == "nt"):
        return
    # Windows flushes only what may be written to.
    with_rights = os.O_RDWR if os.name == "nt" else os.O_RDONLY
    try:
        opened = os.open(path, with_rights)
    except OSError as error:
        # One may write into a folder that one may not list.
        if is_folder or isinstance(error, PermissionError):
            return
        raise
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC and not is_folder:
            raise
    finally:
        os.close(opened)


def _remove(folder: Path) -> None:
    """Remove a temporary folder, as far as that may be; the next one tries again."""
    shutil.rmtree(folder, ignore_errors=True)
    _in_use.discard(folder)


def _put(around: Path, path: Path, overwrite: bool) -> None:
    """Give what is new its place, and take back what was there if that fails."""
    if path.exists() and os.name == "nt" and not overwrite:
        path.rmdir()  # renaming replaces an empty folder elsewhere
    if path.exists() and overwrite:
        (around / _BEFORE).mkdir()
        os.rename(path, around / _BEFORE / path.name)
    try:
        os.rename(around / _NEW / path.name, path)
    except OSError:
        with suppress(OSError):
            os.rename(around / _BEFORE / path.name, path)
        raise


def _is_back(around: Path, path: Path) -> bool:
    """Return whether nothing is lost with a temporary folder, see `_put`."""
    before = around / _BEFORE / path.name
    if before.exists() and not path.exists():
        with suppress(OSError):
            os.rename(before, path)
    return path.exists() or not before.exists()


def bring_back(parent: Path) -> None:
    """Put back folders of ``parent`` that a killed process was about to replace."""
    for before in parent.glob(f".*.{_HERE}-*.*/{_BEFORE}/*"):
        around = before.parents[1]
        owner = around.name.rpartition(f".{_HERE}-")[2].partition(".")[0]
        if owner.isdecimal() and not _is_used(int(owner), around):
            _is_back(around, parent / before.name)


def reason(error: OSError) -> str:
    """Return why something could not be written, in the system's words.

    Libraries raise errors of their own from the system's: pydicom's text is a whole
    traceback, that of shutil a list of files.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return str(error.args[0][0][-1])
    return (str(error).splitlines() or [type(error).__name__])[0]


def _remove_left(parent: Path, prefix: str) -> None:
    """Remove temporary folders of processes of this machine that ended without it."""
    for folder in parent.glob(f"{glob.escape(prefix)}*.*"):
        owner = folder.name.removeprefix(prefix).partition(".")[0]
        if owner.isdecimal() and not _is_used(int(owner), folder):
            kept = folder.glob(f"{_BEFORE}/*")
            are_back = [_is_back(folder, parent / path.name) for path in kept]
            if all(are_back):
                shutil.rmtree(folder, ignore_errors=True)


def _is_used(process: int, folder: Path) -> bool:
    """Return whether a process may still write into a temporary folder."""
    if process == os.getpid():
        return folder in _in_use
    return _is_alive(process, folder)


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
