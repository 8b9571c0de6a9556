"""Keep a comparison true while somebody paints in one of the two annotations."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene.labelmaps import read_frame, write_layer_frame
from MicroUSLib.scene.nodes import frame_as_stored, is_in_scene, shown_frame

from . import tables

if TYPE_CHECKING:
    from types import SimpleNamespace

    from .comparison import Comparison
    from .work import Comparer

_EVERY_MS = 20
# What one look at the frames may take of the window's time.
_BUDGET_S = 0.02
_EVENTS = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentModified,
)


class LiveUpdate:
    """Follows strokes in the two segments that were compared.

    The shown frame is brought up to date at once, the others in the pauses. Places
    and regions are those of the last *Compare*; `is_behind` shows that.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    comparer : Comparer
        Has the comparison.

    Attributes
    ----------
    is_behind : bool
        Whether places and regions are older than the annotations.
    """

    def __init__(self, ui: SimpleNamespace, comparer: Comparer) -> None:
        self._ui, self._comparer = ui, comparer
        self._differences: slicer.vtkMRMLSegmentationNode | None = None
        self._observed: list[tuple[slicer.vtkSegmentation, int]] = []
        self._waiting: deque[int] = deque()
        self._changed: set[int] = set()
        self.is_behind = False
        self._timer = qt.QTimer()
        self._timer.interval = _EVERY_MS
        self._timer.timeout.connect(self._look)

    def follow(self, differences: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Follow the comparison shown in ``differences`` from now on."""
        self.leave()
        self.is_behind = False
        self._differences = differences
        for node in {part[0].GetID(): part[0] for part in self._found.parts}.values():
            if node.IsA("vtkMRMLSegmentationNode"):
                for event in _EVENTS:
                    segments = node.GetSegmentation()
                    tag = segments.AddObserver(event, self._on_stroke)
                    self._observed.append((segments, tag))

    def leave(self) -> None:
        """Follow nothing."""
        self._timer.stop()
        self._waiting.clear()
        self._changed.clear()
        for segments, tag in self._observed:
            segments.RemoveObserver(tag)
        self._observed = []

    @property
    def _found(self) -> Comparison:
        return self._comparer.found

    def _on_stroke(self, *args: object) -> None:
        frames = len(self._found.codes)
        first = shown_frame(self._found.volume)
        self._waiting = deque([first, *(z for z in range(frames) if z != first)])
        if not self._timer.active:
            self._timer.start()

    def _look(self) -> None:
        if not self._can_follow():
            self.leave()
            return
        end = time.monotonic() + _BUDGET_S
        while self._waiting:
            self._look_at(self._waiting.popleft())
            if time.monotonic() > end:
                return
        self._timer.stop()
        self._report()

    def _can_follow(self) -> bool:
        found = self._found
        return (
            found is not None
            and is_in_scene(found.volume)
            and is_in_scene(self._differences)
            and all(
                is_in_scene(node)
                and (
                    not node.IsA("vtkMRMLSegmentationNode")
                    or node.GetSegmentation().GetSegment(part) is not None
                )
                for node, part in found.parts
            )
        )

    def _look_at(self, frame: int) -> None:
        """Bring one frame up to date where a mask of it was changed."""
        found = self._found
        in_node = frame_as_stored(frame, found.volume)
        box = None
        for (node, part), mask in zip(found.parts, found.masks, strict=True):
            if not node.IsA("vtkMRMLSegmentationNode"):
                continue
            drawn = read_frame(node, part, found.volume, in_node).view(np.uint8)
            differs = drawn != mask[frame]
            if differs.any():
                mask[frame] = drawn
                box = _united(box, differs)
        if box is None:
            return
        self._changed.add(frame)
        self.is_behind = True
        found.live.update((slice(frame, frame + 1), *box))
        self._show(frame, in_node)

    def _show(self, frame: int, in_node: int) -> None:
        from napari_microus.core.disagreement import IGNORED

        found, node = self._found, self._differences
        codes = found.codes[frame].copy()
        codes[codes == IGNORED] = 0
        ids = list(node.GetSegmentation().GetSegmentIDs())
        for labels, segments in ((codes, ids[:3]), (found.hard[frame], ids[3:4])):
            write_layer_frame(labels, in_node, node, segments, found.volume)

    def _report(self) -> None:
        """Show the numbers of the changed frames and the new totals."""
        from napari_microus.core import compare as core
        from napari_microus.core.disagreement import counts

        if not self._changed:
            return
        found = self._found
        rows = list(found.rows)
        one, two = found.masks
        spacing = found.grid.spacing_mm
        for frame in self._changed:
            here = slice(frame, frame + 1)
            [row] = drain(
                core.compare_frames(
                    one[here], two[here], spacing, expert_value=1, nonexpert_value=1
                ),
                ignore,
            )
            rows[frame] = replace(row, frame=frame)
        self._changed.clear()
        totals = core.summarise(
            rows,
            counts(found.live.per_frame),
            spacing,
            knows_frame_distance=found.grid.knows_frame_distance,
        )
        self._comparer.found = replace(found, rows=rows, totals=totals)
        tables.fill_frames(self._ui.frameTable, self._found)
        self._ui.totalsLabel.text = _(
            "{0} Painted since: press Compare for places and regions."
        ).format(tables.totals(self._found))


def _united(
    box: tuple[slice, slice] | None, differs: np.ndarray
) -> tuple[slice, slice]:
    """Return the box of what differs, and of what a box held before."""
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    found = [(int(axis[0]), int(axis[-1]) + 1) for axis in (rows, columns)]
    if box is not None:
        found = [
            (min(low, before.start), max(high, before.stop))
            for (low, high), before in zip(found, box, strict=True)
        ]
    return slice(*found[0]), slice(*found[1])
