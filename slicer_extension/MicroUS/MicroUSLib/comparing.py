"""Two annotations of one scan: what the core says about them, as nodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import slicer

from .labelmaps import changed_when
from .nodes import is_in_scene, require_volume
from .segments import (
    add_segment,
    change_frames,
    mask_from_node,
    new_segmentation,
    segment_array,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from napari_microus.core.compare import (
        Adjudication,
        CaseAgreement,
        DisputedRegion,
        FrameAgreement,
    )
    from napari_microus.core.compare.sidecar import Origin
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

Result = TypeVar("Result")

# Okabe and Ito's palette, told apart with any colour vision; as in napari.
BLUE = (0.337, 0.706, 0.914)
ORANGE = (0.902, 0.624, 0.0)
GREY = (0.69, 0.69, 0.69)
PINK = (0.8, 0.475, 0.655)
GREEN = (0.0, 0.62, 0.451)
YELLOW = (0.941, 0.894, 0.259)

ADJUDICATED = "Adjudicated"
UNDECIDED = "Undecided"


@dataclass(frozen=True)
class Annotator:
    """One annotation as the user chose it: a node and a part of it."""

    node: slicer.vtkMRMLNode | None
    part: str
    role: str

    @property
    def name(self) -> str:
        """What to call it in tables and sidecars: as napari calls the file's layer."""
        is_volume = not self.node.IsA("vtkMRMLSegmentationNode")
        if is_volume or self.node.GetSegmentation().GetNumberOfSegments() == 1:
            return str(self.node.GetName())
        return str(self.node.GetSegmentation().GetSegment(self.part).GetName())


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the core found about two annotations.

    Attributes
    ----------
    volume : vtkMRMLVolumeNode
        The scan they lie on.
    grid : Volume
        Where the masks lie, in the frame order of the scan's file.
    masks : tuple of two ndarray
        Expert and non-expert, uint8 0, 1 and 255.
    codes, hard : ndarray
        `disagreement_map`, and the hard region.
    rows, totals, regions
        Frame table, totals, ranked disputed regions.
    """

    volume: slicer.vtkMRMLVolumeNode
    grid: Volume
    names: tuple[str, str]
    masks: tuple[np.ndarray, np.ndarray]
    codes: np.ndarray
    hard: np.ndarray
    rows: list[FrameAgreement]
    totals: CaseAgreement
    regions: list[DisputedRegion]
    settings: dict[str, Any]


def drained(
    work: Generator[Event, None, Result], on_event: Callable[[Event], None]
) -> Result:
    """Run a core generator here, telling ``on_event`` how far it is."""
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            return stop.value
        on_event(event)


def scan_of(
    chosen: slicer.vtkMRMLVolumeNode | None, *annotators: Annotator
) -> slicer.vtkMRMLVolumeNode:
    """Return the volume to compare on: the chosen one, or one they were drawn on.

    Raises
    ------
    InputError
        If there is none, or it is no grey volume.
    """
    volume = chosen
    for annotator in annotators:
        if volume is None and is_in_scene(annotator.node):
            if annotator.node.IsA("vtkMRMLVolumeNode"):
                volume = annotator.node
            else:
                volume = annotator.node.GetNodeReference(
                    annotator.node.GetReferenceImageGeometryReferenceRole()
                )
    require_volume(volume)
    return volume


def compare(
    volume: slicer.vtkMRMLVolumeNode,
    expert: Annotator,
    nonexpert: Annotator,
    *,
    kernel_size: int,
    rank_by: str,
    through_frames: bool,
    smallest_px: int = 1,
    on_event: Callable[[Event], None],
) -> Comparison:
    """Compare two annotations of ``volume``; the scene stays as it is.

    Raises
    ------
    InputError
        If an annotation is missing, both are the same, or one lies elsewhere.
    """
    from napari_microus.core import compare as core
    from napari_microus.core.compare.disagreement import count_codes, counts
    from napari_microus.core.errors import InputError

    is_same = expert.node is nonexpert.node and expert.part == nonexpert.part
    if expert.node is not None and is_same:
        raise InputError(
            "Two annotations must differ in kind; got one and the same as expert and "
            "non-expert. Choose another segment for one of them."
        )
    volumes = [
        mask_from_node(a.node, a.part, volume, a.role) for a in (expert, nonexpert)
    ]
    one, two = (v.array for v in volumes)
    grid = volumes[0]
    codes = core.disagreement_map(one, two)
    rows = drained(core.compare_frames(one, two, grid.spacing_mm), on_event)
    regions = drained(
        core.disputed_regions(
            codes,
            grid.spacing_mm,
            through_frames=through_frames,
            rank_by=core.RankBy(rank_by),
            smallest_px=smallest_px,
        ),
        on_event,
    )
    return Comparison(
        volume=volume,
        grid=grid,
        names=(expert.name, nonexpert.name),
        masks=(one, two),
        codes=codes,
        hard=core.hard_region(one, two, kernel_size),
        rows=rows,
        totals=core.summarise(rows, counts(count_codes(codes)), grid.spacing_mm),
        regions=regions,
        settings={
            "rank_by": rank_by,
            "through_frames": through_frames,
            "smallest_px": smallest_px,
            "blind": {"is_blind": False},
        },
    )


def show_differences(
    found: Comparison, kernel_size: int
) -> slicer.vtkMRMLSegmentationNode:
    """Add a segmentation with both / expert only / non-expert only / hard region."""
    from napari_microus.core.compare.disagreement import (
        BOTH,
        EXPERT_ONLY,
        NONEXPERT_ONLY,
    )

    node = new_segmentation(found.volume, f"{found.volume.GetName()} differences")
    for name, mask, color in (
        ("Both", found.codes == BOTH, GREY),
        ("Expert only", found.codes == EXPERT_ONLY, BLUE),
        ("Non-expert only", found.codes == NONEXPERT_ONLY, ORANGE),
        (f"Hard region ({kernel_size} px)", found.hard, PINK),
    ):
        add_segment(mask, node, found.volume, name=name, color=color, terminology="")
    return node


def show_table(found: Comparison) -> slicer.vtkMRMLTableNode:
    """Add the frame table to the scene."""
    name = slicer.mrmlScene.GenerateUniqueName(f"{found.volume.GetName()} frames")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    rows = [asdict(row) for row in found.rows]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    slicer.util.updateTableFromArray(node, tuple(columns.values()), list(columns))
    return node


def add_consensus(
    volume: slicer.vtkMRMLVolumeNode,
    annotators: list[Annotator],
    method: str,
    on_event: Callable[[Event], None],
) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
    """Fuse annotations into a new segment of a node of its own.

    Raises
    ------
    InputError
        If the method needs more annotators, with the reason.
    """
    from napari_microus.core.compare import Consensus, consensus, why_not
    from napari_microus.core.errors import InputError

    reason = why_not(Consensus(method), len(annotators))
    if reason is not None:
        raise InputError(reason)
    masks = [mask_from_node(a.node, a.part, volume, a.role) for a in annotators]
    fused = drained(
        consensus([m.array for m in masks], method, masks[0].spacing_mm), on_event
    )
    node = new_segmentation(volume, f"{volume.GetName()} consensus")
    segment_id = add_segment(
        fused == 1,
        node,
        volume,
        name=f"Consensus ({method.replace('_', ' ')})",
        color=GREEN,
        provenance={"consensus": method, "annotators": [a.name for a in annotators]},
    )
    return node, segment_id


class Adjudicated:
    """The adjudication of a comparison, shown as two segments that can be drawn in.

    Parameters
    ----------
    found : Comparison
        What is being settled.
    work : Adjudication
        The core's account of it.
    origin : Origin
        What the sidecar says about where it came from.
    """

    def __init__(self, found: Comparison, work: Adjudication, origin: Origin) -> None:
        self.found = found
        self.work = work
        self.origin = origin
        self.node = new_segmentation(
            found.volume, f"{found.volume.GetName()} adjudicated"
        )
        self._ids = {
            value: add_segment(
                work.mask == value,
                self.node,
                found.volume,
                name=name,
                color=color,
                terminology="",
                provenance={"adjudication": name},
                is_worked_on=True,
            )
            for value, name, color in (
                (1, ADJUDICATED, GREEN),
                (255, UNDECIDED, YELLOW),
            )
        }
        self._seen = self._stamps()

    def decide(self, region: DisputedRegion, decision: str) -> None:
        """Give a region to one annotator, or leave it open."""
        self.take_drawing()
        box = self.work.decide(region, decision)
        self._show(list(range(box[0].start, box[0].stop)))

    def undo(self) -> DisputedRegion | None:
        """Take back the last decision; return its region."""
        self.take_drawing()
        region = self.work.undo()
        if region is not None:
            self._show(list(range(region.box[0].start, region.box[0].stop)))
        return region

    def take_drawing(self) -> None:
        """Account for what was drawn into the segments by hand.

        Raises
        ------
        InputError
            If the segmentation or one of its two segments was removed.
        """
        from napari_microus.core.errors import InputError

        segments = self.node.GetSegmentation()
        if not is_in_scene(self.node) or any(
            segments.GetSegment(i) is None for i in self._ids.values()
        ):
            raise InputError(
                f"The segments {ADJUDICATED} and {UNDECIDED} must stay until the "
                "adjudication is saved; one was removed. Press Compare to begin again, "
                "or Resume with the last saved sidecar."
            )
        if self._stamps() == self._seen:
            return
        drawn = np.zeros_like(self.work.mask)
        for value in (255, 1):  # where both are painted, the mask counts
            array = segment_array(self.node, self._ids[value], self.found.volume)
            drawn[array == 1] = value
        changed = np.flatnonzero((drawn != self.work.mask).any(axis=(1, 2)))
        for frame in changed.tolist():
            self.work.mask[frame] = drawn[frame]
            everywhere = slice(None)
            self.work.hand_drawn((slice(frame, frame + 1), everywhere, everywhere))
        self._seen = self._stamps()

    def _stamps(self) -> list[tuple[str, int]]:
        return [changed_when(self.node, key) for key in self._ids.values()]

    def save(self, path: str, *, overwrite: bool) -> list[str]:
        """Write mask, provenance map and sidecar; return their paths."""
        from napari_microus.core.compare.journal import remove_journal
        from napari_microus.core.compare.sidecar import save_adjudication

        self.take_drawing()
        paths = save_adjudication(
            self.work, self.origin, self.found.grid, path, overwrite=overwrite
        )
        remove_journal(_journal(self.found))
        return [str(path) for path in paths]

    def keep(self) -> None:
        """Write the decisions into the journal, which survives a crash."""
        from napari_microus.core.compare.journal import write_journal
        from napari_microus.core.compare.sidecar import to_document

        write_journal(to_document(self.work, self.origin), _journal(self.found))

    def _show(self, frames: list[int]) -> None:
        for value, segment_id in self._ids.items():
            mask = np.zeros(self.work.mask.shape, bool)
            mask[frames] = self.work.mask[frames] == value
            change_frames(mask, frames, self.node, segment_id, self.found.volume)
        self._seen = self._stamps()


def begin(found: Comparison, who: str) -> Adjudicated:
    """Begin to settle a comparison."""
    from napari_microus.core.compare import Adjudication
    from napari_microus.core.compare.sidecar import Origin

    work = Adjudication(found.codes, found.regions, who=who)
    origin = Origin(*found.names, found.grid.spacing_mm, found.settings)
    return Adjudicated(found, work, origin)


def unsaved(found: Comparison) -> dict[str, Any] | None:
    """Return what the journal kept of these two masks, None if nothing."""
    from napari_microus.core.compare.journal import read_journal

    return read_journal(_journal(found))


def _journal(found: Comparison) -> Path:
    from napari_microus.core.compare.journal import journal_path

    return journal_path(*found.names, found.codes.shape)


def resume(found: Comparison, path: str) -> tuple[Adjudicated, str]:
    """Go on with a saved adjudication of the same two masks, also one from napari.

    Parameters
    ----------
    found : Comparison
        The two masks as they are now.
    path : str
        The sidecar, or the mask beside it.

    Returns
    -------
    Adjudicated and str
        The second is a sentence if the masks changed since, else "".
    """
    from napari_microus.core.compare.sidecar import read_document, sidecar_of

    sidecar = path if path.endswith(".json") else sidecar_of(path)
    return go_on(found, read_document(sidecar))


def go_on(found: Comparison, document: dict[str, Any]) -> tuple[Adjudicated, str]:
    """Go on with an adjudication that `unsaved` returned; see `resume`."""
    from napari_microus.core.compare.sidecar import from_document

    work, origin, changed = from_document(document, found.codes)
    return Adjudicated(found, work, origin), changed or ""
