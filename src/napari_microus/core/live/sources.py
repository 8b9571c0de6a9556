"""Which source an address means: a folder, a video, or a server."""

from __future__ import annotations

from os.path import isdir, isfile
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.live.folder import FolderSource
from napari_microus.core.live.stream import StreamSource
from napari_microus.core.live.video import VIDEO_SUFFIXES, VideoSource

if TYPE_CHECKING:
    from napari_microus.core.live.following import Source


def source_of(address: str) -> Source:
    """Return the source that somebody wrote down.

    Parameters
    ----------
    address : str
        A folder into which pictures are written, a video file, or ``host:port`` of a
        server of OpenIGTLink; the port may be left out.

    Raises
    ------
    InputError
        If a folder or a video does not exist.
    ConfigError
        If it is none of them.
    """
    path = Path(address.strip()).expanduser()
    # Nothing at all, which is the current folder as a path, is no address.
    if address.strip() and isdir(path):
        return FolderSource(path)
    if isfile(path) or path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path)
    if len(path.parts) > 1:  # a host has none
        raise InputError(
            f"A source must be there; got {path}. Choose a folder or a video, or write "
            "host:port.",
            plain=(
                f"There is no folder or video {path}. Choose another, or write "
                "host:port."
            ),
        )
    return StreamSource.parse(address)
