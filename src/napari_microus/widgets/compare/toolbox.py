"""A box of the *Tools* tab that computes one thing at a time in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QGroupBox, QWidget

from napari_microus.core.errors import plain_words
from napari_microus.core.mask import as_mask
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison


class ToolBox(QGroupBox):
    """A titled box with a message and at most one piece of work under way.

    Parameters
    ----------
    title : str
        Heading of the box.
    viewer : ViewerModel
        Where masks come from and layers go.
    """

    def __init__(
        self, title: str, viewer: ViewerModel, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, parent)
        self.message = text()
        self.cancel_button = push_button(
            tr("Cancel"), tr("End what is going on; nothing is changed.")
        )
        self.cancel_button.setVisible(False)
        self.cancel_button.clicked.connect(self.cancel)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self._done: Callable[[Any], None] | None = None
        self._is_cancelled = False

    @property
    def is_working(self) -> bool:
        """True until the result has been shown."""
        return self._worker is not None

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Use another comparison, or none."""
        self._comparison = comparison

    def refresh(self, event: Any = None) -> None:
        """List the viewer's layers again."""

    def cancel(self) -> None:
        """Ask the work in progress to end; it makes no layer then."""
        if self._worker is not None:
            self._is_cancelled = True
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        if self._worker is not None:
            self._worker.forget()
            self._worker = None

    def _run(
        self,
        work: Callable[[], Generator[Event, None, Any]],
        done: Callable[[Any], None],
    ) -> None:
        if self._worker is not None:
            self.message.setText(tr("Still at work. Wait for it to end."))
            return
        self._done = done
        self._is_cancelled = False
        self.message.setText(tr("Working …"))
        self.cancel_button.setEnabled(True)
        self.cancel_button.setVisible(True)
        self._worker = start_worker(
            work,
            yielded=self._on_progress,
            returned=self._on_done,
            errored=self._on_error,
            aborted=self._on_aborted,
            finished=self._on_finished,
        )

    def _on_progress(self, event: Event | None) -> None:
        done, total = getattr(event, "done", 0), getattr(event, "total", 0)
        if total:
            said = getattr(event, "message", "") or tr("Working")
            self.message.setText(f"{said} … {done} of {total}")

    def _on_done(self, result: Any) -> None:
        assert self._done is not None  # set with the worker
        if self._is_cancelled:  # in the last step, which then went through
            self._on_aborted()
        else:
            self._done(result)

    def _on_error(self, error: Exception) -> None:
        self.message.setText(plain_words(error))

    def _on_aborted(self) -> None:
        self.message.setText(tr("Cancelled."))

    def _on_finished(self) -> None:
        self._worker = None
        self.cancel_button.setVisible(False)


def mask_of(layer: Labels, value: int | None) -> NDArray[np.uint8]:
    """Return a layer's mask as (Z, Y, X) of 0, 1 and 255."""
    return stack(as_mask(np.asarray(layer.data), value, name=f"'{layer.name}'"))


def stack(array: NDArray[Any]) -> NDArray[Any]:
    """Return a frame as a stack of one."""
    return array[None] if array.ndim == 2 else array


def refill(box: QComboBox, layers: list[Any], guess: str) -> None:
    """List ``layers``, keeping the choice, else choosing by name."""
    before = box.currentData()
    box.clear()
    for layer in layers:
        box.addItem(layer.name if layer is not None else "none", layer)
    if before is not None and any(layer is before for layer in layers):
        index = next(i for i, layer in enumerate(layers) if layer is before)
    else:
        names = [layer.name.lower() if layer is not None else "" for layer in layers]
        index = next((i for i, name in enumerate(names) if guess in name), 0)
    box.setCurrentIndex(index)
