"""Layers that point at pixels: round the region in view, and what would change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.colors import PREVIEW
from napari_microus.widgets._shared.layers import ROLE, derived_metadata, geometry

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer, Shapes
    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion


class RegionMarks:
    """A line round the region in view, and a preview of pixels to be decided.

    Parameters
    ----------
    viewer : ViewerModel
        Where the two layers go.
    expert : Labels
        On whose grid they lie.
    shape : tuple of int
        Shape (Z, Y, X) of the scan.
    """

    def __init__(
        self, viewer: ViewerModel, expert: Labels, shape: tuple[int, ...]
    ) -> None:
        self._viewer, self._expert, self._shape = viewer, expert, shape
        self._flat = expert.ndim == 2
        self.box_layer: Shapes | None = None
        self.preview_layer: Labels | None = None
        self.is_adding = False
        self._preview = np.zeros((0, 0, 0), np.uint8)
        self._previewed: set[int] = set()

    def outline(self, region: DisputedRegion) -> None:
        """Draw a line round the region that is being looked at."""
        lines = outlines(region, region.frame)
        if not self._flat:
            lines = [np.insert(line, 0, region.frame, axis=1) for line in lines]
        if self.box_layer is None:
            active = self._viewer.layers.selection.active
            self.is_adding = True
            self.box_layer = self._viewer.add_shapes(
                name="current region",
                ndim=2 if self._flat else 3,
                opacity=0.9,
                metadata=derived_metadata(self._expert, **{ROLE: "box"}),
                **geometry(self._expert),
            )
            self.box_layer.editable = False
            self._viewer.layers.selection.active = active
            self.is_adding = False
        self.box_layer.data = []
        self.box_layer.add(
            lines,
            shape_type="polygon",
            edge_color="white",
            edge_width=max(0.5, 0.0015 * self._shape[2]),
            face_color="transparent",
        )

    def show_preview(self, marked: dict[int, NDArray[np.bool_]] | None) -> None:
        """Show pixels, by frame, that would be decided; None takes them away."""
        if self.preview_layer is not None:
            for frame in self._previewed:
                self._preview[frame] = 0
        elif marked:
            self._preview = np.zeros(self._shape, np.uint8)
            self.is_adding = True
            active = self._viewer.layers.selection.active
            self.preview_layer = self._viewer.add_labels(
                self._preview[0] if self._flat else self._preview,
                name="preview",
                colormap={1: PREVIEW, None: "transparent"},
                opacity=0.9,
                metadata=derived_metadata(self._expert, **{ROLE: "preview"}),
                **geometry(self._expert),
            )
            self.preview_layer.editable = False
            self._viewer.layers.selection.active = active
            self.is_adding = False
        self._previewed = set(marked or ())
        for frame, mask in (marked or {}).items():
            self._preview[frame] = mask
        if self.preview_layer is not None:
            self.preview_layer.visible = bool(marked)
            self.preview_layer.refresh(thumbnail=False, highlight=False, extent=False)

    def forget(self, layer: Layer) -> None:
        """Make a new layer when one is needed next: this one was removed."""
        if layer is self.box_layer:
            self.box_layer = None
        if layer is self.preview_layer:
            self.preview_layer = None

    def remove(self) -> None:
        """Take both layers away."""
        for layer in (self.box_layer, self.preview_layer):
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)


def outlines(region: DisputedRegion, frame: int) -> list[NDArray[np.float64]]:
    """Return the lines round a region's parts in a frame, as rows and columns."""
    from skimage.measure import approximate_polygon, find_contours

    z, y, x = region.box
    inside = np.pad(region.mask[frame - z.start], 2)
    lines: list[Any] = find_contours(inside, 0.01)  # type: ignore[no-untyped-call]
    origin = np.array([y.start - 2, x.start - 2])
    return [
        approximate_polygon(line, 0.7)[:-1] + origin  # type: ignore[no-untyped-call]
        for line in lines
        if len(line) > 3
    ]
