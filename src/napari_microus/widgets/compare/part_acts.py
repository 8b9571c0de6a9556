"""Decide a part of a region: by a mark in the picture, or a contour in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_microus.core.compare.adjudication.between import contour_between
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.part_tools import ADVICE, PartTools

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.widgets.compare.adjudicating import AdjudicationLayers
    from napari_microus.widgets.compare.current import Current
    from napari_microus.widgets.compare.part_tools import Tool


class PartActs(QObject):
    """What the buttons for a part of a region do.

    ``marked()`` follows a decision on marked pixels, ``decided()`` one on the
    region in view.

    Parameters
    ----------
    current : Current
        The adjudication at work.
    """

    marked = Signal()
    decided = Signal()

    def __init__(self, current: Current) -> None:
        super().__init__(current)
        self._current = current
        self._panel = current.panel.part
        self.tools: PartTools | None = None
        self._panel.tool_chosen.connect(self._on_tool)
        self._panel.size.valueChanged.connect(self._on_size)
        self._panel.slider.valueChanged.connect(self._on_slider)
        self._panel.between_button.clicked.connect(self.set_between)

    def take(self, shown: AdjudicationLayers) -> None:
        """Mark parts in this adjudication."""
        self.tools = PartTools(
            shown, self._panel.size.value, self._on_mark, self._panel.switch_off
        )

    def release(self) -> None:
        """Mark parts in none."""
        assert self.tools is not None  # made with the adjudication
        self.tools.leave()
        self._panel.switch_off()
        self.tools = None

    # --- a part

    def _on_tool(self, name: str) -> None:
        if self.tools is None:
            return
        if name:
            self.tools.use(_as_tool(name))
            self._current.said.emit(ADVICE[name])
        else:
            self.tools.leave()

    def _on_size(self, _: int) -> None:
        if self.tools is not None:
            self.tools.show_size()

    def _on_mark(self, frame: int, mark: NDArray[np.bool_]) -> None:
        shown = self._current.ready()
        if shown is None:
            return
        box = (
            slice(frame, frame + 1),
            slice(0, mark.shape[0]),
            slice(0, mark.shape[1]),
        )
        decision = self._panel.decision()
        found = shown.work.decide_pixels(box, mark[np.newaxis], decision)
        if found is None:
            self._current.said.emit(
                tr("No disputed pixel of a listed region was marked.")
            )
            return
        shown.show_change()
        self._current.region = found
        self.marked.emit()

    # --- in between

    def _on_slider(self, _: int) -> None:
        region, shown = self._current.region, self._current.shown
        inner = self._between()
        if region is None or shown is None or inner is None:
            return
        marked = {}
        for index, frame in enumerate(range(region.box[0].start, region.box[0].stop)):
            marked[frame] = np.zeros(shown.work.mask.shape[1:], bool)
            marked[frame][region.box[1:]] = inner[index] & region.mask[index]
        shown.marks.show_preview(marked)

    def _share(self) -> float:
        share = self._panel.slider.value() / 100
        return 1 - share if self._current.naming.is_swapped else share

    def _between(self) -> NDArray[np.bool_] | None:
        """Return the contour for the slider in the region in view; say why not."""
        if self._current.region is None or self._current.shown is None:
            return None
        _, y, x = self._current.shown.grid.spacing_mm
        try:
            return contour_between(
                self._current.shown.codes(), self._current.region, self._share(), (y, x)
            )
        except MicroUSError as error:
            self._current.said.emit(plain_words(error))
            return None

    def set_between(self) -> None:
        """Decide the region in view by a contour between the two."""
        shown, region = self._current.ready(), self._current.region
        inner = self._between()
        if shown is None or region is None or inner is None:
            return
        shown.marks.show_preview(None)
        shown.work.decide_between(region, inner, self._share())
        shown.show_change()
        self.decided.emit()


def _as_tool(name: str) -> Tool:
    assert name in ("brush", "lasso", "along")  # the names of the buttons
    return name  # type: ignore[return-value]
