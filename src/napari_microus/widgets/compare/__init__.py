"""Dock that compares two annotations and settles their differences."""

from napari_microus.widgets.compare.dock import CompareWidget, open_settle

__all__ = ["CompareWidget", "open_settle"]
