"""The model's probability of one frame, computed while the user already drags."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_microus.widgets._shared.layers import volume_from_layer
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.correct.jobs import probability_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.correct.dock import CorrectWidget
    from napari_microus.widgets.correct.handles import OutlineHandles

_log = logging.getLogger(__name__)


class Evidence(QObject):
    """Gives the handles in a dock the probability of their frame, when it is there.

    Without it handles move as they are dragged: nothing waits for it.
    """

    def __init__(self, dock: CorrectWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._handles: OutlineHandles | None = None
        self._worker: Worker | None = None

    def ask(self, handles: OutlineHandles) -> None:
        """Compute the probability of the frame that has these handles."""
        capsule = self._dock.capsule
        if self._worker is not None or capsule is None:
            return  # the one at work will ask again
        self._handles = handles
        self._worker = start_worker(
            probability_of,
            volume_from_layer(capsule.scan),
            handles.frame,
            capsule.model_name(),
            returned=self._on_probability,
            errored=self._on_error,
            finished=self._on_finished,
        )
        self._dock.destroyed.connect(self._worker.forget)

    def _on_probability(self, probability: NDArray[Any]) -> None:
        if self._handles is not None:
            self._handles.probability = probability

    def _on_error(self, error: Exception) -> None:
        _log.warning("No border to snap handles to", exc_info=error)

    def _on_finished(self) -> None:
        self._worker = None
        now = self._dock.handles
        if now is not None and now is not self._handles:
            self.ask(now)
