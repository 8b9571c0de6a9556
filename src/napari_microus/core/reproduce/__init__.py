"""Train the published recipes on one study and set the results side by side."""

from napari_microus.core.reproduce.run import Comparison, reproduce

__all__ = ["Comparison", "reproduce"]
