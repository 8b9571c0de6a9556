"""Dock that segments many scans."""

from napari_microus.widgets.batch.dock import BatchWidget

__all__ = ["BatchWidget"]
