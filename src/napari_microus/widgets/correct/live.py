"""One frame of the capsule while a person drags: drawn at once, one step at the end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.widgets.correct.capsule import Capsule

# Redrawing the capsule takes napari longer than a mouse move does to come.
_SOON_MS = 15


class LiveFrame:
    """Shows what ``make`` returns whenever it was touched, at most once in 15 ms.

    Parameters
    ----------
    capsule : Capsule
        Whose frame it is.
    frame : int
        The frame that is drawn.
    make : callable
        Returns the mask (Y, X) as it is now, None where there is nothing to show.
    """

    def __init__(
        self,
        capsule: Capsule,
        frame: int,
        make: Callable[[], NDArray[np.bool_] | None],
    ) -> None:
        self._capsule, self.frame, self._make = capsule, frame, make
        self._before = capsule.masks()[frame].copy()
        # What is drawn until the end becomes one step of napari's history; drawing
        # what has changed alone spares napari the outline of the whole frame.
        self._one_step = ExitStack()
        self._one_step.enter_context(capsule.layer.block_history())
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._show)

    def touch(self) -> None:
        """Show it again soon."""
        if not self._soon.isActive():
            self._soon.start()

    def _show(self) -> None:
        mask = self._make()
        if mask is not None:
            values = self._capsule.values(mask, self._before)
            self._capsule.draw({self.frame: values})

    def close(self) -> None:
        """Leave what is shown as one step that can be undone."""
        self._soon.stop()
        self._show()
        self._one_step.close()

    def release(self) -> None:
        """End without a last look: the capsule is being corrected no longer."""
        self._soon.stop()
        self._one_step.close()
