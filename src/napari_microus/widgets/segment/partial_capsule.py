"""The capsule layer while its frames are still being drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_microus.widgets._shared.layers import array_for_layer, derived_metadata
from napari_microus.widgets.segment.layers import add_capsule, current_frame

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer
    from numpy.typing import NDArray

    from napari_microus.widgets.segment.request import PartialMask

_NOT_DRAWN = -1


class PartialCapsule(QObject):
    """Shows a mask that a thread is filling, frame by frame, until it is whole.

    Until then the layer cannot be edited and is not yet known as ours: a cancelled
    run takes it away again.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer to add to.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._mask: NDArray[np.uint8] | None = None
        self._before: Layer | None = None
        self._seen = _NOT_DRAWN
        self._partial: PartialMask | None = None
        self._next = QTimer(self)
        self._next.setSingleShot(True)
        self._next.timeout.connect(self._show)

    def begin(self, image: Image, partial: PartialMask) -> None:
        """Show a mask over ``image``; its first frame is there.

        In two steps with the window's events between them: napari makes the layer and
        its controls, then draws it.
        """
        self._before = self._viewer.layers.selection.active
        self._partial, self._mask, self._seen = partial, partial.mask, _NOT_DRAWN
        self._layer = add_capsule(self._viewer, image, partial.mask, None, False)
        self._layer.name = f"{image.name} capsule (in progress)"
        self._layer.editable = False
        self._next.start(0)

    def _show(self) -> None:
        if self._layer is not None and not self._layer.visible:
            self._seen = self._frame_in_view()
            self._layer.visible = True
            self._next.start(0)  # once more, after the window has drawn it
        elif self._partial is not None:
            self._partial.is_shown.set()
            self._partial = None

    @property
    def was_removed(self) -> bool:
        """Whether the user took the layer away while it was being drawn."""
        return self._layer is not None and self._layer not in self._viewer.layers

    def look(self) -> None:
        """Show the frame in view, if it has been drawn since the last look."""
        if self._layer is None or not self._layer.visible:
            return
        frame = self._frame_in_view()
        if frame not in (self._seen, _NOT_DRAWN):
            self._seen = frame
            self._layer.refresh(extent=False)

    def _frame_in_view(self) -> int:
        """Return which frame is looked at, if there is something in it."""
        assert self._mask is not None  # there as long as the layer is
        frame = current_frame(self._viewer, self._layer)
        return frame if self._mask[frame].any() else _NOT_DRAWN

    def finish(self, image: Image, mask: NDArray[Any], made: dict[str, Any]) -> Labels:
        """Return the layer of the whole mask, ready to be edited."""
        layer, drawn = self._layer, self._mask
        self._layer = self._mask = self._before = self._partial = None
        if layer is None or layer not in self._viewer.layers:
            return add_capsule(self._viewer, image, mask, made)
        layer.name = f"{image.name} capsule"
        layer.metadata = derived_metadata(image, provenance=made)
        layer.editable = True
        if not layer.visible:  # showing draws, even what is shown
            layer.visible = True
        if drawn is None or not np.shares_memory(mask, drawn):
            layer.data = array_for_layer(mask, image)
        elif current_frame(self._viewer, layer) != self._seen:
            layer.refresh(extent=False)
        return layer

    def drop(self) -> None:
        """Take away what has been drawn, and select what was selected."""
        layer, before = self._layer, self._before
        self._layer = self._mask = self._before = self._partial = None
        if layer is not None and layer in self._viewer.layers:
            was_active = self._viewer.layers.selection.active is layer
            self._viewer.layers.remove(layer)
            if was_active and before in self._viewer.layers:
                self._viewer.layers.selection.active = before
