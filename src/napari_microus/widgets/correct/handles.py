"""Handles of one frame's outline as a Shapes layer; the capsule follows each drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes

from napari_microus.core import colors
from napari_microus.core.edit.curve import curve_through, handles_of, mask_of
from napari_microus.core.edit.snap import snap
from napari_microus.core.errors import InputError
from napari_microus.widgets._shared.layers import geometry
from napari_microus.widgets.correct.live import LiveFrame

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.widgets.correct.capsule import Capsule


class OutlineHandles:
    """A polygon whose corners are the handles of a smooth outline.

    napari's own tools move (select vertices), add and remove corners, and move all of
    them at once. A corner that is dropped with Shift held goes to the nearest border
    that the model sees, once `probability` is there.

    Parameters
    ----------
    viewer : ViewerModel
        The handles' layer goes on top of it.
    capsule : Capsule
        What is drawn again while a handle moves.
    frame : int
        The frame that has the handles.

    Raises
    ------
    InputError
        If the frame is empty.
    """

    def __init__(self, viewer: ViewerModel, capsule: Capsule, frame: int) -> None:
        self._viewer, self._capsule = viewer, capsule
        self.frame = frame
        #: The model's probability of the capsule in this frame (Y, X).
        self.probability: NDArray[Any] | None = None
        before = capsule.mask(frame)
        self._shape = before.shape
        corners = handles_of(before)
        self.layer = Shapes(
            [self._placed(corners)],
            shape_type="polygon",
            name=f"{capsule.layer.name} handles",
            edge_color=colors.CAPSULE,
            face_color="transparent",
            edge_width=max(0.5, before.shape[0] / 500),
            **geometry(capsule.layer),
        )
        viewer.layers.append(self.layer)
        viewer.layers.selection.active = self.layer
        self.layer.mode = "direct"
        self.layer.selected_data = {0}
        self._live = LiveFrame(capsule, frame, self._mask)
        self._corners = self._now()
        self.layer.events.set_data.connect(self._live.touch)
        self.layer.mouse_drag_callbacks.append(self._snap_at_end)

    @property
    def is_shown(self) -> bool:
        """Whether the layer is still in the viewer."""
        return self.layer in self._viewer.layers

    def _placed(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return corners (n, 2) in the layer's dimensions."""
        if self._capsule.layer.ndim == 2:
            return corners
        return np.column_stack([np.full(len(corners), self.frame), corners])

    def _now(self) -> Any:
        if not len(self.layer.data):
            return None
        return np.asarray(self.layer.data[0])[:, -2:].copy()

    def _mask(self) -> NDArray[np.bool_] | None:
        """Return the frame's mask if the handles moved since, else None."""
        corners = self._now()
        if corners is None or (
            self._corners is not None
            and corners.shape == self._corners.shape
            and np.array_equal(corners, self._corners)
        ):
            return None
        self._corners = corners
        try:
            mask = mask_of(curve_through(corners), self._shape)
        except InputError:  # two corners are left: wait for a third
            return None
        return mask if mask.any() else None

    def _snap_at_end(self, layer: Shapes, event: Any) -> Generator[None, None, None]:
        """Bring the dragged corner to the border; napari's generator form."""
        before = self._now()
        yield
        while event.type == "mouse_move":
            yield
        if "Shift" in event.modifiers:
            self.snap_since(before)

    def snap_since(self, before: NDArray[np.float64] | None) -> None:
        """Bring the corners that moved to the border that the model sees."""
        corners = self._now()
        if self.probability is None or before is None or corners is None:
            return
        if corners.shape != before.shape:
            return
        moved = np.flatnonzero((corners != before).any(axis=1))
        if len(moved) == len(corners):  # all of it was moved: no corner is meant
            return
        fresh = corners.copy()
        for which in moved:
            fresh[which] = snap(corners, int(which), self.probability)
        self.layer.data = [self._placed(fresh)]
        self.layer.selected_data = {0}

    def close(self, *, keep: bool = True) -> None:
        """Take the handles away; what they did becomes one step that can be undone.

        Without ``keep`` the frame is left as it is: it holds other data now.
        """
        self.layer.events.set_data.disconnect(self._live.touch)
        if keep:
            self._live.close()
        else:
            self._live.release()
        if self.is_shown:
            self._viewer.layers.remove(self.layer)
        if self._capsule.layer in self._viewer.layers:
            self._viewer.layers.selection.active = self._capsule.layer
