"""Dock that corrects a capsule: clicks, handles, frames that follow, and review."""

from napari_microus.widgets.correct.dock import CorrectWidget

__all__ = ["CorrectWidget"]
