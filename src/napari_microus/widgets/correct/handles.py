"""Handles of one frame's outline as a Shapes layer; the capsule follows each drag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QTimer

from napari_microus.core import colors
from napari_microus.core.edit.curve import curve_through, handles_of, mask_of
from napari_microus.core.errors import InputError
from napari_microus.widgets._shared.layers import geometry

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_microus.widgets.correct.capsule import Capsule


_SOON_MS = 15


class OutlineHandles:
    """A polygon whose corners are the handles of a smooth outline.

    napari's own tools move (select vertices), add and remove corners.

    Parameters
    ----------
    viewer : ViewerModel
        The handles' layer goes on top of it.
    capsule : Capsule
        What is drawn anew while a handle moves.
    frame : int
        The frame that has the handles.
    changed : callable
        Called with the frame after every change.

    Raises
    ------
    InputError
        If the frame is empty.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        capsule: Capsule,
        frame: int,
        changed: Callable[[int], None],
    ) -> None:
        self._viewer, self._capsule, self._changed = viewer, capsule, changed
        self.frame = frame
        before = capsule.mask(frame)
        self._before = capsule.masks()[frame].copy()
        corners = handles_of(before)
        if capsule.layer.ndim == 3:
            corners = np.column_stack([np.full(len(corners), frame), corners])
        self.layer = Shapes(
            [corners],
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
        # Redrawing the capsule takes napari longer than a mouse move does to come.
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._follow)
        self.layer.events.set_data.connect(self._on_move)
        self._corners = self._now()

    @property
    def is_shown(self) -> bool:
        """Whether the layer is still in the viewer."""
        return self.layer in self._viewer.layers

    def _now(self) -> Any:
        if not len(self.layer.data):
            return None
        return np.asarray(self.layer.data[0])[:, -2:].copy()

    def _on_move(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _follow(self) -> None:
        """Draw the frame from the handles, without a step in the history."""
        corners = self._now()
        if corners is None or (
            self._corners is not None
            and corners.shape == self._corners.shape
            and np.array_equal(corners, self._corners)
        ):
            return
        self._corners = corners
        try:
            mask = mask_of(curve_through(corners), self._before.shape)
        except InputError:  # two corners are left: wait for a third
            return
        frame = self._capsule.masks()[self.frame]
        frame[:] = np.where(mask, 1, 0)
        self._capsule.layer.refresh()
        self._changed(self.frame)

    def close(self) -> None:
        """Take the handles away; what they did becomes one step that can be undone."""
        self.layer.events.set_data.disconnect(self._on_move)
        self._soon.stop()
        self._follow()
        drawn = self._capsule.masks()[self.frame] == 1
        self._capsule.masks()[self.frame][:] = self._before
        self._capsule.draw({self.frame: drawn} if drawn.any() else {})
        if self.is_shown:
            self._viewer.layers.remove(self.layer)
        if self._capsule.layer in self._viewer.layers:
            self._viewer.layers.selection.active = self._capsule.layer
