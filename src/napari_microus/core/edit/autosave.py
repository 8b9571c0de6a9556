"""Keep unsaved corrections where a crash cannot reach them.

One file for each scan, in the user's state folder: the mask, packed, and its
provenance. It is known by a fingerprint of the scan's voxels and grid, so that it is
offered for that scan alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import BROKEN_FILE
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

_KEPT = 20  # scans


@dataclass(frozen=True)
class Autosaved:
    """What was kept of one scan's capsule.

    Attributes
    ----------
    mask : ndarray of uint8, shape (Z, Y, X)
        The capsule: 0, 1, and 255 for undecided.
    provenance : dict
        Who drew it, with the review.
    saved : datetime
        When, in local time.
    """

    mask: NDArray[np.uint8]
    provenance: dict[str, Any]
    saved: datetime


def autosave_folder() -> Path:
    """Return where unsaved corrections are kept."""
    import platformdirs

    return Path(platformdirs.user_state_dir("napari-microus", False)) / "corrections"


def fingerprint(scan: Volume) -> str:
    """Return what distinguishes a scan from every other: of its voxels and its grid."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((scan.shape, str(scan.array.dtype))).encode())
    digest.update(np.round(scan.affine, 6).tobytes())
    for frame in scan.array:
        digest.update(np.ascontiguousarray(frame).tobytes())
    return digest.hexdigest()


def autosave(
    key: str,
    mask: NDArray[np.uint8],
    provenance: dict[str, Any],
    folder: Path | None = None,
) -> Path:
    """Write the mask of the scan with the fingerprint ``key``, whole or not at all.

    The oldest files beyond twenty scans are removed.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder = folder or autosave_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.npz"
    parts: dict[str, Any] = {
        "shape": np.array(mask.shape),
        "inside": np.packbits(mask == 1),
        "undecided": np.packbits(mask == 255),
        "provenance": np.frombuffer(json.dumps(provenance).encode(), np.uint8),
        "saved": np.array(time.time()),
    }
    with atomic_write(path, overwrite=True) as temporary:
        np.savez_compressed(temporary, **parts)
    _remove_oldest(folder, path)
    return path


def _remove_oldest(folder: Path, newest: Path) -> None:
    """Keep twenty files in the order in which they were written.

    A clock that is set back would make the newest the oldest: a file is dated
    after all that were there, and holds its time itself.
    """
    times = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    latest = max((ns for path, ns in times.items() if path != newest), default=0)
    if times[newest] <= latest:
        times[newest] = latest + 1_000_000_000  # coarse enough for any file system
        with suppress(OSError):
            os.utime(newest, ns=(times[newest], times[newest]))
    for old in sorted(times, key=times.__getitem__)[:-_KEPT]:
        old.unlink(missing_ok=True)


def find_autosave(key: str, folder: Path | None = None) -> Autosaved | None:
    """Return what was kept of a scan; None if nothing was, or it cannot be read."""
    path = (folder or autosave_folder()) / f"{key}.npz"
    try:
        written = path.stat().st_mtime
        # Opened here, because NumPy leaves a broken file open.
        with path.open("rb") as stream, np.load(stream) as parts:
            shape = tuple(int(n) for n in parts["shape"])
            size = int(np.prod(shape))
            mask = np.unpackbits(parts["inside"], count=size).reshape(shape)
            undecided = np.unpackbits(parts["undecided"], count=size).reshape(shape)
            mask[undecided > 0] = 255
            made = json.loads(parts["provenance"].tobytes())
            saved = datetime.fromtimestamp(float(parts.get("saved", written)))
    except BROKEN_FILE:
        return None
    return Autosaved(mask, made, saved)


def remove_autosave(key: str, folder: Path | None = None) -> None:
    """Forget what was kept of a scan: it has been saved, or is not wanted."""
    ((folder or autosave_folder()) / f"{key}.npz").unlink(missing_ok=True)
