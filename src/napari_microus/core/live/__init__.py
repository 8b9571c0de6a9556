"""Frames as a scanner sends them, each answered while it is the newest."""

from napari_microus.core.live.folder import FolderSource
from napari_microus.core.live.following import LiveFrame, LiveStatus, follow
from napari_microus.core.live.recording import Recording
from napari_microus.core.live.stream import StreamSource

__all__ = [
    "FolderSource",
    "LiveFrame",
    "LiveStatus",
    "Recording",
    "StreamSource",
    "follow",
]
