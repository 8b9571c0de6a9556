"""The welcome panel: where a new user begins."""

from napari_microus.widgets.welcome.dock import WelcomeWidget

__all__ = ["WelcomeWidget"]
