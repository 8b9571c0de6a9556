"""Frames as a scanner sends them, each answered while it is the newest."""

from napari_microus.core.live.exchange import Exchange, ExchangeSource
from napari_microus.core.live.folder import FolderSource
from napari_microus.core.live.following import LiveFrame, LiveStatus, follow
from napari_microus.core.live.recording import Recording
from napari_microus.core.live.serving import CapsuleServer
from napari_microus.core.live.sources import source_of
from napari_microus.core.live.stream import StreamSource
from napari_microus.core.live.video import VIDEO_SUFFIXES, VideoSource

__all__ = [
    "VIDEO_SUFFIXES",
    "CapsuleServer",
    "Exchange",
    "ExchangeSource",
    "FolderSource",
    "LiveFrame",
    "LiveStatus",
    "Recording",
    "StreamSource",
    "VideoSource",
    "follow",
    "source_of",
]
