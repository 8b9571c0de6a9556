"""Train the published recipes on one study and set the results side by side."""

from napari_microus.core.reproduce.comparison import Comparison
from napari_microus.core.reproduce.run import reproduce

__all__ = ["Comparison", "reproduce"]
