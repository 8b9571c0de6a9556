"""Decide several regions at once, after a preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject

from napari_microus.core.compare.adjudication.carry import same_stretch
from napari_microus.core.compare.adjudication.selection import open_regions
from napari_microus.core.compare.adjudication.votes import as_two
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.widgets.compare.current import Current


class SeveralActs(QObject):
    """What the buttons for several regions do.

    Parameters
    ----------
    current : Current
        The adjudication at work.
    """

    def __init__(self, current: Current) -> None:
        super().__init__(current)
        self._current = current
        self._panel = current.panel.several
        self._planned: tuple[str, Any] | None = None
        self._panel.preview_button.clicked.connect(self.preview)
        self._panel.apply_button.clicked.connect(self.apply)
        self._panel.cancel_button.clicked.connect(self.cancel_preview)

    def preview(self) -> None:
        """Show what a decision on several regions would change."""
        shown, several = self._current.shown, self._panel
        if shown is None:
            return
        which = several.which.currentData()
        if which == "neighbours":
            self._plan_neighbours()
            return
        if which == "selected":
            chosen = self._current.panel.table.selected()
            regions = [shown.work.region(number) for number in chosen]
        else:
            gap = several.gap.value() if which == "gap" else None
            regions = open_regions(shown.work, gap)
        if not regions:
            self.cancel_preview()
            several.count.setText(tr("No region is meant."))
            return
        marked: dict[int, NDArray[np.bool_]] = {}
        for region in regions:
            z = region.box[0]
            for index, frame in enumerate(range(z.start, z.stop)):
                mask = marked.setdefault(
                    frame, np.zeros(shown.work.mask.shape[1:], bool)
                )
                mask[region.box[1:]] |= region.mask[index]
        self._planned = ("regions", regions)
        shown.marks.show_preview(marked)
        pixels = sum(region.pixels for region in regions)
        several.show_preview(
            f"{len(regions)} regions, {pixels:,} px in {len(marked)} frames would go "
            f"to {several.in_favour.currentText()}."
        )

    def _plan_neighbours(self) -> None:
        shown, region, several = self._current.shown, self._current.region, self._panel
        assert shown is not None  # asked by the caller
        if region is None:
            several.count.setText(tr("Show a region first."))
            return
        codes = as_two(shown.codes(), shown.work.coding.annotators)
        near = range(
            max(0, region.frame - several.frames.value()),
            min(len(codes), region.frame + several.frames.value() + 1),
        )
        frames = [frame for frame in near if frame != region.frame]
        marks = same_stretch(codes, region, frames)
        marked = {f: mark for f, mark in zip(frames, marks, strict=True) if mark.any()}
        pixels = sum(int(mark.sum()) for mark in marked.values())
        if not marked:
            self.cancel_preview()
            several.count.setText(tr("Nothing is disputed on that stretch nearby."))
            return
        self._planned = ("pixels", marked)
        shown.marks.show_preview(marked)
        several.show_preview(
            f"{pixels:,} px in frames {', '.join(map(str, marked))} would go to "
            f"{several.in_favour.currentText()}."
        )

    def apply(self) -> None:
        """Decide what the preview shows, as one step."""
        shown, planned = self._current.ready(), self._planned
        if shown is None or planned is None:
            return
        self.cancel_preview()
        kind, what = planned
        decision = self._panel.decision()
        if kind == "regions":
            shown.work.decide(what, decision)
            shown.show_change()
        else:
            first, last = min(what), max(what)
            inside = np.zeros((last - first + 1, *shown.work.mask.shape[1:]), bool)
            for frame, mark in what.items():
                inside[frame - first] = mark
            rows, columns = shown.work.mask.shape[1:]
            box = (slice(first, last + 1), slice(0, rows), slice(0, columns))
            shown.work.decide_pixels(box, inside, decision)
            shown.show_change()

    def cancel_preview(self) -> None:
        """Take the preview away; nothing was changed."""
        self._planned = None
        self._panel.show_preview("")
        if self._current.shown is not None:
            self._current.shown.marks.show_preview(None)
