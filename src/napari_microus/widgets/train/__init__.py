"""Dock that assembles a study, trains on it and follows the run."""

from napari_microus.widgets.train.dock import TrainWidget

__all__ = ["TrainWidget"]
