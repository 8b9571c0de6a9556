"""napari's reader, as the manifest names it."""

from napari_microus.widgets._shared.reading import get_reader, read_layers

__all__ = ["get_reader", "read_layers"]
