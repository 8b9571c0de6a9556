"""Adjudicate a comparison region by region, in two segments that can be drawn in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene.labelmaps import changed_when
from MicroUSLib.scene.nodes import is_in_scene
from MicroUSLib.scene.results import hide_older
from MicroUSLib.scene.segments import (
    add_segment,
    change_frames,
    new_segmentation,
    remove_segmentation,
    segment_array,
)

from .comparison import GREEN, YELLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.compare import Adjudication, DisputedRegion
    from napari_microus.core.compare.adjudication.document import (
        Origin,
    )
    from napari_microus.core.compare.adjudication.journal import Journal
    from napari_microus.core.events import Event

    from .comparison import Comparison

ADJUDICATED = "Adjudicated"
UNDECIDED = "Undecided"


class Adjudicated:
    """The adjudication of a comparison, shown as two segments that can be drawn in.

    Parameters
    ----------
    found : Comparison
        What is adjudicated.
    work : Adjudication
        The core's account of it.
    origin : Origin
        What the sidecar says about where it came from.
    on_event : callable
        Called between two steps; where it raises, the scene is as it was.
    """

    def __init__(
        self,
        found: Comparison,
        work: Adjudication,
        origin: Origin,
        on_event: Callable[[Event], None] = ignore,
    ) -> None:
        from napari_microus.core.events import Progress

        self.journal = _journal(found)
        self.journal.lock()
        self.found = found
        self.work = work
        self.origin = origin
        self.reopened: list[DisputedRegion] = []
        self._ids: dict[int, str] = {}
        self.node = new_segmentation(
            found.volume, f"{found.volume.GetName()} adjudicated"
        )
        try:
            for value, name, color in (
                (1, ADJUDICATED, GREEN),
                (255, UNDECIDED, YELLOW),
            ):
                inside = np.zeros(work.mask.shape, np.uint8)
                for number, frame in enumerate(work.mask):
                    inside[number] = frame == value
                    on_event(Progress(number + 1, len(inside), message=name))
                self._ids[value] = add_segment(
                    inside,
                    self.node,
                    found.volume,
                    name=name,
                    color=color,
                    terminology="",
                    provenance={"adjudication": name},
                    is_worked_on=True,
                )
        except BaseException:
            self.journal.unlock()
            remove_segmentation(self.node)
            raise
        self._seen = self._stamps()
        hide_older(self.node, "adjudication")

    def decide(
        self,
        region: DisputedRegion,
        decision: str,
        on_event: Callable[[Event], None] = ignore,
    ) -> None:
        """Give a region to one annotator, or leave it open."""
        self.take_drawing(on_event)
        box = self.work.decide(region, decision)
        self._show(list(range(box[0].start, box[0].stop)))

    def undo(self, on_event: Callable[[Event], None] = ignore) -> DisputedRegion | None:
        """Undo the last decision or stroke; return a region where it was."""
        self.take_drawing(on_event)
        step = self.work.undo()
        if step is None:
            return None
        frames = self.work.frames_of(step)
        self._show(list(frames))
        near = [r for r in self.work.regions if r.frame in frames]
        for number in step.verdicts:
            return self.work.region(number)
        return near[0] if near else self.work.regions[0]

    def take_drawing(self, on_event: Callable[[Event], None] = ignore) -> None:
        """Account for what was drawn into the segments by hand, or undone in an editor.

        ``reopened`` then lists the regions whose decision an editor's undo took back.
        Ended between two frames, it continues with the others the next time.

        Raises
        ------
        InputError
            If the segmentation or one of its two segments was removed.
        """
        from napari_microus.core.errors import InputError
        from napari_microus.core.events import Progress

        segments = self.node.GetSegmentation()
        if not is_in_scene(self.node) or any(
            segments.GetSegment(i) is None for i in self._ids.values()
        ):
            raise InputError(
                f"The segments {ADJUDICATED} and {UNDECIDED} must stay until the "
                "adjudication is saved; one was removed. Press Compare to begin again, "
                "or Resume with the last saved sidecar.",
                plain=(
                    f"The segment {ADJUDICATED} or {UNDECIDED} was removed, so "
                    "that there is nothing to save. Press Compare to begin again, "
                    "or Resume with the last saved sidecar."
                ),
            )
        self.reopened = []
        if self._stamps() == self._seen:
            return
        seen, drawn_in = self._stamps(), []
        for value in (1, 255):
            drawn_in.append(
                segment_array(self.node, self._ids[value], self.found.volume)
            )
            on_event(Progress(len(drawn_in), 2, "segments", "Reading the segments"))
        adjudicated, undecided = drawn_in
        changed: list[int] = []
        for frame, before in enumerate(self.work.mask):
            on_event(Progress(frame, len(undecided), message="Looking at the drawing"))
            drawn = undecided[frame] * np.uint8(255)
            drawn[adjudicated[frame] == 1] = 1  # where both are painted
            if (drawn == before).all():
                continue
            self.work.mask[frame] = drawn
            changed.append(frame)
        if changed:
            # At once: a region may go through several frames.
            everywhere = slice(None)
            frames = slice(changed[0], changed[-1] + 1)
            self.reopened = self.work.follow_drawing((frames, everywhere, everywhere))
        self._seen = seen

    def _stamps(self) -> list[tuple[str, int]]:
        return [changed_when(self.node, key) for key in self._ids.values()]

    def save(
        self, path: str, *, overwrite: bool, on_event: Callable[[Event], None] = ignore
    ) -> list[str]:
        """Write mask, provenance map and sidecar; return their paths.

        Raises
        ------
        OutputError
            If a file of these names exists and ``overwrite`` is False, or it is of
            other masks or holds decisions that this adjudication does not.
        """
        from pathlib import Path

        from napari_microus.core.compare.adjudication.resuming import check_resumes
        from napari_microus.core.compare.adjudication.sidecar import (
            adjudication_files,
        )

        self.take_drawing(on_event)
        origin = self.origin
        names = (origin.expert, origin.nonexpert, *origin.others)
        check_resumes(self.work, Path(path), names)
        files = adjudication_files(
            self.work, self.origin, self.found.grid, path, overwrite=overwrite
        )
        paths = drain(files, on_event)
        self.journal.remove()
        return [str(path) for path in paths]

    def keep(self) -> None:
        """Write the decisions into the journal, which survives a crash."""
        from napari_microus.core.compare.adjudication.document import (
            to_document,
        )

        self.journal.write(to_document(self.work, self.origin))

    def release(self) -> None:
        """Let other windows adjudicate these masks."""
        self.journal.unlock()

    def _show(self, frames: list[int]) -> None:
        for value, segment_id in self._ids.items():
            mask = np.zeros(self.work.mask.shape, bool)
            mask[frames] = self.work.mask[frames] == value
            change_frames(mask, frames, self.node, segment_id, self.found.volume)
        self._seen = self._stamps()


def begin(
    found: Comparison, who: str, on_event: Callable[[Event], None] = ignore
) -> Adjudicated:
    """Begin to adjudicate a comparison."""
    from napari_microus.core.compare import Adjudication
    from napari_microus.core.compare.adjudication.adjudicated_mask import (
        first_masks,
    )
    from napari_microus.core.compare.adjudication.document import (
        Origin,
        place_of,
    )

    start = drain(first_masks(found.codes), on_event)
    work = Adjudication(found.codes, found.regions, who=who, start=start)
    origin = Origin(
        *found.names, found.grid.spacing_mm, found.settings, place_of(found.grid)
    )
    return Adjudicated(found, work, origin, on_event)


def unsaved(found: Comparison) -> dict[str, Any] | None:
    """Return what the journal kept of these two masks, None if nothing."""
    return _journal(found).read()


def _journal(found: Comparison) -> Journal:
    from napari_microus.core.compare.adjudication.journal import Journal

    return Journal(found.masks_sha256, found.grid)


def resume(
    found: Comparison, path: str, on_event: Callable[[Event], None] = ignore
) -> tuple[Adjudicated, str]:
    """Continue with a saved adjudication of the same two masks, also one from napari.

    Parameters
    ----------
    found : Comparison
        The two masks as they are now.
    path : str
        The sidecar, or the mask beside it.
    on_event : callable
        Called between two steps.

    Returns
    -------
    Adjudicated and str
        The second is a sentence if the masks changed since, else "".
    """
    from napari_microus.core.compare.adjudication.sidecar import (
        read_document,
        sidecar_of,
    )

    sidecar = path if path.endswith(".json") else sidecar_of(path)
    return continue_with(found, read_document(sidecar), on_event)


def continue_with(
    found: Comparison,
    document: dict[str, Any],
    on_event: Callable[[Event], None] = ignore,
) -> tuple[Adjudicated, str]:
    """Continue with an adjudication that `unsaved` returned; see `resume`."""
    from napari_microus.core.compare.adjudication.adjudicated_mask import (
        first_masks,
    )
    from napari_microus.core.compare.adjudication.document import (
        read_adjudication,
    )

    start = drain(first_masks(found.codes), on_event)
    work, origin, changed = drain(
        read_adjudication(document, found.codes, start, found.grid), on_event
    )
    if changed is not None:
        expert, nonexpert = found.names
        origin = replace(origin, expert=expert, nonexpert=nonexpert)
    return Adjudicated(found, work, origin, on_event), changed or ""
