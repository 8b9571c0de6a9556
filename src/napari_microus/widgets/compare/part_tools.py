"""Mark a part of a region in the picture: brush, lasso, drag along the contour."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_microus.core.compare.adjudication.carry import along_drag
from napari_microus.core.compare.adjudication.votes import as_two
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_microus.widgets.compare.adjudicating import AdjudicationLayers

Tool = Literal["brush", "lasso", "along"]
_PAN = "pan_zoom"
ADVICE: dict[str, str] = {
    "brush": "Paint over disputed pixels; right-click or the button again to stop.",
    "lasso": "Draw a line round disputed pixels.",
    "along": "Drag along the boundary: the whole gap beside the drag is meant.",
}


class PartTools:
    """Follows the mouse on the canvas while a tool is on.

    Parameters
    ----------
    shown : AdjudicationLayers
        Whose picture is drawn on.
    brush_px : callable
        Gives the width of the brush in pixels of the frame.
    marked : callable
        Called with each finished mark: the frame and a bool mask (Y, X).
    switched_off : callable
        Called when the user took up something else.
    """

    def __init__(
        self,
        shown: AdjudicationLayers,
        brush_px: Callable[[], int],
        marked: Callable[[int, NDArray[np.bool_]], None],
        switched_off: Callable[[], None],
    ) -> None:
        self._shown, self._brush_px = shown, brush_px
        self._marked, self._switched_off = marked, switched_off
        self.tool: Tool | None = None
        self._path: list[tuple[float, float]] = []
        self._frame = 0

    def use(self, tool: Tool) -> None:
        """Switch a tool on, and any other off."""
        self.leave()
        viewer, layer = self._shown.viewer, self._shown.layer
        layer.mode = _PAN
        viewer.layers.selection.active = layer
        self.tool = tool
        layer.mouse_pan = False
        layer.cursor = "cross"
        self.show_size()
        viewer.mouse_drag_callbacks.append(self._on_press)
        layer.events.mode.connect(self._take_up_another)
        viewer.layers.selection.events.active.connect(self._take_up_another)

    def leave(self) -> None:
        """Switch the tool off."""
        viewer, layer = self._shown.viewer, self._shown.layer
        if self._on_press in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_press)
        if self.tool is None:
            return
        self.tool = None
        layer.events.mode.disconnect(self._take_up_another)
        viewer.layers.selection.events.active.disconnect(self._take_up_another)
        if layer.mode == _PAN:
            layer.mouse_pan = True
            layer.cursor = "standard"
        self._shown.marks.show_preview(None)

    def show_size(self) -> None:
        """Give the mouse the shape of the brush."""
        layer = self._shown.layer
        if self.tool == "brush":
            layer.cursor_size = self._brush_px() * float(np.abs(layer.scale[-2:]).min())
            layer.cursor = "circle"

    def _take_up_another(self, event: Any = None) -> None:
        # The preview of the mark itself is active for a moment when it is added.
        if self.tool is not None and not self._shown.marks.is_adding:
            self.leave()
            self._switched_off()

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Follow one press to its release; napari's generator form."""
        if event.button not in (1, None) or event.modifiers or self.tool is None:
            return
        if viewer.dims.ndisplay != 2:
            self._shown.said.emit(tr("Parts are decided in napari's 2D view."))
            return
        self._frame = self._shown.shown_frame()
        self._path = [self._at(event.position)]
        self._preview()
        yield
        while event.type == "mouse_move":
            self._path.append(self._at(event.position))
            self._preview()
            yield
        mark = self._mark()
        self._shown.marks.show_preview(None)
        self._marked(self._frame, mark)

    def _at(self, position: tuple[float, ...]) -> tuple[float, float]:
        row, column = self._shown.layer.world_to_data(position)[-2:]
        return float(row), float(column)

    def _preview(self) -> None:
        mark = self._mark()
        codes = self._shown.codes()[self._frame]
        mark &= self._shown.work.coding.is_disputed[codes]
        self._shown.marks.show_preview({self._frame: mark})

    def _mark(self) -> NDArray[np.bool_]:
        codes = self._shown.codes()[self._frame]
        path = np.array(self._path)
        if self.tool == "along":
            two = as_two(codes, self._shown.work.coding.annotators)
            return along_drag(two, path, self._shown.grid.spacing_mm[2])
        if self.tool == "lasso":
            return inside_path(path, codes.shape)
        return brushed(path, self._brush_px() / 2, codes.shape)


def inside_path(path: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels inside a closed path of rows and columns."""
    from skimage.draw import polygon

    mark = np.zeros(shape, bool)
    corners = (path[:, 0], path[:, 1])
    rows, columns = polygon(*corners, shape)  # type: ignore[no-untyped-call]
    mark[rows, columns] = True
    return mark


def brushed(
    path: NDArray[np.float64], radius: float, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return the pixels within a radius of a path of rows and columns."""
    from scipy.ndimage import distance_transform_edt

    mark = np.zeros(shape, bool)
    low = np.floor(path.min(axis=0) - radius - 1).astype(int).clip(0)
    high = np.ceil(path.max(axis=0) + radius + 2).astype(int)
    high = np.minimum(np.maximum(high, 0), shape)
    if (high <= low).any():
        return mark
    far = np.ones(high - low, bool)
    for start, stop in itertools.pairwise(path):
        steps = int(np.ceil(np.abs(stop - start).max())) + 1
        _touch(far, np.linspace(start, stop, steps) - low)
    _touch(far, path - low)
    mark[low[0] : high[0], low[1] : high[1]] = distance_transform_edt(far) <= radius
    return mark


def _touch(far: NDArray[np.bool_], points: NDArray[np.float64]) -> None:
    rows, columns = np.round(points).astype(int).T
    kept = (rows >= 0) & (columns >= 0)
    kept &= (rows < far.shape[0]) & (columns < far.shape[1])
    far[rows[kept], columns[kept]] = False
