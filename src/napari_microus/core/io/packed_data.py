"""Packed streams in image files, read to their end."""

from __future__ import annotations

import bz2
import zlib
from typing import TYPE_CHECKING, Any

from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20


def inflate(path: Path, start: int, encoding: str, size: int | None, kind: str) -> int:
    """Read a packed stream to its end, and return how long it was.

    Raises
    ------
    InputError
        If its checksum is wrong, or the length of what it holds is not ``size``.
    """
    unpack: Any = bz2.BZ2Decompressor()
    if encoding not in ("bzip2", "bz2"):
        unpack = zlib.decompressobj(47)  # gzip's or zlib's own header
    length = read = 0
    try:
        with path.open("rb") as file:
            file.seek(start)
            while not unpack.eof and (packed := file.read(_CHUNK)):
                read += len(packed)
                length += len(unpack.decompress(packed))
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise damaged(path, kind, str(error)) from error
    if not unpack.eof:
        raise damaged(path, kind, "its packed data end too early")
    if size is not None and length != size:
        raise damaged(path, kind, f"{length} bytes of {size}")
    return read - len(unpack.unused_data)
