"""napari's writers, by the names in the manifest; see `widgets._shared.writing`."""

from napari_microus.widgets._shared.writing import write_image, write_labels

__all__ = ["write_image", "write_labels"]
