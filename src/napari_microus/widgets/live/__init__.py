"""Dock that shows the capsule in frames while they come."""

from napari_microus.widgets.live.dock import LiveWidget

__all__ = ["LiveWidget"]
