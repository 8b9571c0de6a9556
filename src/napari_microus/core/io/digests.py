"""A digest of what a scan or mask is read from, whatever it is called."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from napari_microus.core.errors import InputError
from napari_microus.core.io.names import stem_of, suffix_of
from napari_microus.core.io.scan_sidecar import find_scan_properties

# Headers whose voxels lie in a file beside them, and what that is called.
_HEADERS = (".mhd", ".nhdr", ".hdr")
_VOXELS = (".raw", ".zraw", ".img", ".gz", ".bz2")


def content_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of all files that belong to it.

    Those are the files of a folder, the voxels beside a detached header, and the
    properties that a person stated about a scan. Of one file it is what ``sha256sum``
    prints; of several the SHA-256 of theirs, in the order of their names.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
    elif suffix_of(path) in _HEADERS:
        named = f"{stem_of(path)}."
        beside = [f for f in path.parent.iterdir() if f.name.startswith(named)]
        files = [path, *sorted(f for f in beside if suffix_of(f) in _VOXELS)]
    else:
        files = [path]
    stated = find_scan_properties(path)
    if stated is not None and stated not in files:
        files.append(stated)
    try:
        found = [_digest(f, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    except OSError as error:
        raise InputError(
            f"A study's files must be readable; got {path} ({error.strerror}). "
            "Put it back, or set ignore to 1.",
            plain=(
                f"The file {path} of the study cannot be read ({error.strerror}). "
                "Put it back, or set ignore to 1."
            ),
        ) from error
    if len(found) == 1:
        return found[0]
    return hashlib.sha256("".join(found).encode()).hexdigest()


@lru_cache(maxsize=16384)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    """Read a file again only if it has changed since."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
