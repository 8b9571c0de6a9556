"""The capsule layer while its frames are still being drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.widgets._layers import array_for_layer, derived_metadata
from napari_microus.widgets._segment_layers import add_capsule, current_frame

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray


class GrowingCapsule:
    """Shows a mask that a thread is filling, frame by frame, until it is whole.

    Until then the layer cannot be edited and is not yet known as ours: a cancelled
    run takes it away again.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer to add to.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._mask: NDArray[np.uint8] | None = None
        self._before: Layer | None = None
        self._seen = -1

    def begin(self, image: Image, mask: NDArray[np.uint8]) -> None:
        """Show ``mask`` (Z, Y, X) over ``image``; its first frame is there."""
        self._before = self._viewer.layers.selection.active
        self._mask, self._seen = mask, -1
        self._layer = add_capsule(self._viewer, image, mask, None)
        self._layer.name = f"{image.name} capsule, being drawn"
        self._layer.editable = False

    def look(self) -> None:
        """Show the frame in view, if it has been drawn since the last look."""
        if self._layer is None or self._mask is None:
            return
        frame = current_frame(self._viewer, self._layer)
        if frame != self._seen and self._mask[frame].any():
            self._seen = frame
            self._layer.refresh(extent=False)

    def finish(self, image: Image, mask: NDArray[Any], made: dict[str, Any]) -> Labels:
        """Return the layer of the whole mask, ready to be edited."""
        layer, drawn = self._layer, self._mask
        self._layer = self._mask = self._before = None
        if layer is None or layer not in self._viewer.layers:
            return add_capsule(self._viewer, image, mask, made)
        layer.name = f"{image.name} capsule"
        layer.metadata = derived_metadata(image, provenance=made)
        layer.editable = True
        if drawn is None or not np.shares_memory(mask, drawn):
            layer.data = array_for_layer(mask, image)
        layer.refresh(extent=False)
        return layer

    def drop(self) -> None:
        """Take away what has been drawn, and select what was selected."""
        layer, before = self._layer, self._before
        self._layer = self._mask = self._before = None
        if layer is not None and layer in self._viewer.layers:
            was_active = self._viewer.layers.selection.active is layer
            self._viewer.layers.remove(layer)
            if was_active and before in self._viewer.layers:
                self._viewer.layers.selection.active = before
