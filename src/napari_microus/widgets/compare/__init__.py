"""Dock that compares two annotations and adjudicates their differences."""

from napari_microus.widgets.compare.dock import CompareWidget, open_adjudication

open_settle = open_adjudication  # its name before, for one release

__all__ = ["CompareWidget", "open_adjudication"]
