"""Dock that segments the capsule in the active image."""

from napari_microus.widgets.segment.dock import SegmentWidget

__all__ = ["SegmentWidget"]
