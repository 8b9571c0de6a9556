"""Two annotations of one scan: what the core says about them, as nodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene.annotations import Annotator, mask_from_node
from MicroUSLib.scene.nodes import is_in_scene, require_volume
from MicroUSLib.scene.results import RESULT, replace_older
from MicroUSLib.scene.segments import (
    add_labels,
    add_segment,
    new_segmentation,
    put_beside,
    remove_segmentation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.compare import (
        CaseAgreement,
        DisputedRegion,
        FrameAgreement,
    )
    from napari_microus.core.compare.live import LiveDisagreement
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.place import PlaceShare
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

# Okabe and Ito's palette, distinguished with any colour vision; as in napari.
BLUE = (0.337, 0.706, 0.914)
ORANGE = (0.902, 0.624, 0.0)
GREY = (0.69, 0.69, 0.69)
PINK = (0.8, 0.475, 0.655)
GREEN = (0.0, 0.62, 0.451)
YELLOW = (0.941, 0.894, 0.259)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the core found about two annotations.

    Attributes
    ----------
    volume : vtkMRMLVolumeNode
        The scan they lie on.
    grid : Volume
        Where the masks lie, in the frame order of the scan's file.
    names, parts : tuple
        What the two are called, and where they came from: (node, part).
    masks : tuple of two ndarray
        Expert and non-expert, uint8 0, 1 and 255.
    codes, hard : ndarray of uint8
        `disagreement_map`, and 1 in the hard region.
    settings
        How it was compared, as a sidecar keeps it.
    naming : Naming
        What the panel calls the two, openly or blind; ``names`` are the real ones.
    rows, places, totals, regions
        Frame table, where in the patient they differ, totals, ranked disputed
        regions.
    live : LiveDisagreement
        Brings ``codes`` and ``hard`` up to date where ``masks`` were changed.
    difficulty : list of float or None
        Predicted for each frame, once it was asked for.
    """

    volume: slicer.vtkMRMLVolumeNode
    grid: Volume
    names: tuple[str, str]
    parts: tuple[tuple[slicer.vtkMRMLNode, str], ...]
    masks: tuple[np.ndarray, np.ndarray]
    codes: np.ndarray
    hard: np.ndarray
    rows: list[FrameAgreement]
    places: list[PlaceShare]
    totals: CaseAgreement
    regions: list[DisputedRegion]
    settings: dict[str, Any]
    naming: Naming
    live: LiveDisagreement
    difficulty: list[float] | None = None

    @cached_property
    def masks_sha256(self) -> str:
        """Fingerprint of the two masks; a journal is found by it."""
        from napari_microus.core.compare.adjudication.adjudicated_mask import (
            masks_digest,
        )

        return masks_digest(self.codes)


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
    on_network: bool = False,
    rank_by: str,
    through_frames: bool,
    stretches: bool = False,
    smallest_px: int = 1,
    is_blind: bool = False,
    on_event: Callable[[Event], None],
) -> Comparison:
    """Compare two annotations of ``volume``; the scene stays as it is.

    The hard region's square counts pixels of the scan, or ``on_network`` those of the
    network, as the losses do.

    Raises
    ------
    InputError
        If an annotation is missing, both are the same, or one lies elsewhere.
    """
    from napari_microus.core import compare as core
    from napari_microus.core.compare.live import LiveDisagreement
    from napari_microus.core.compare.naming import OPEN, blind_naming
    from napari_microus.core.compare.network_grid import NETWORK_SIZE
    from napari_microus.core.compare.place import places_of_disagreement
    from napari_microus.core.disagreement import counts
    from napari_microus.core.errors import InputError

    naming = blind_naming() if is_blind else OPEN
    is_same = expert.node is nonexpert.node and expert.part == nonexpert.part
    if expert.node is not None and is_same:
        raise InputError(
            "Two annotations must differ in kind; got one and the same as expert and "
            "non-expert. Choose another segment for one of them.",
            plain=(
                "Expert and non-expert are the same annotation. Choose "
                "another segment for one of them."
            ),
        )
    volumes = [
        mask_from_node(a.node, a.part, volume, a.role, on_event)
        for a in (expert, nonexpert)
    ]
    one, two = (v.array for v in volumes)
    grid = volumes[0]
    found = LiveDisagreement(one, two)
    drain(found.update_all(), on_event)
    drain(found.widen(kernel_size, NETWORK_SIZE if on_network else None), on_event)
    codes = found.codes
    rows = drain(
        core.compare_frames(
            one, two, grid.spacing_mm, expert_value=1, nonexpert_value=1
        ),
        on_event,
    )
    regions = drain(
        core.disputed_regions(
            codes,
            grid.spacing_mm,
            through_frames=through_frames,
            stretches=stretches,
            rank_by=core.RankBy(rank_by),
            smallest_px=smallest_px,
        ),
        on_event,
    )
    return Comparison(
        volume=volume,
        grid=grid,
        names=(expert.name, nonexpert.name),
        parts=tuple((a.node, a.part) for a in (expert, nonexpert)),
        masks=(one, two),
        codes=codes,
        hard=found.hard,
        rows=rows,
        places=drain(places_of_disagreement(codes, grid.patient_affine), on_event),
        totals=core.summarise(
            rows,
            counts(found.per_frame),
            grid.spacing_mm,
            knows_frame_distance=grid.knows_frame_distance,
        ),
        regions=regions,
        settings={
            "rank_by": rank_by,
            "through_frames": through_frames,
            "stretches": stretches,
            "smallest_px": smallest_px,
            "blind": naming.as_json(),
        },
        naming=naming,
        live=found,
    )


def show_differences(
    found: Comparison,
    kernel_size: int,
    on_event: Callable[[Event], None] = ignore,
) -> slicer.vtkMRMLSegmentationNode:
    """Add a segmentation with both / expert only / non-expert only / hard region.

    Where ``on_event`` raises, the scene is as it was.
    """
    from napari_microus.core.disagreement import (
        BOTH,
        EXPERT_ONLY,
        IGNORED,
        NONEXPERT_ONLY,
    )
    from napari_microus.core.events import Progress

    name = f"{found.volume.GetName()} differences"
    node = new_segmentation(found.volume, name, is_derived=True)
    node.SetAttribute(RESULT, "differences")
    codes = found.codes
    if any((frame == IGNORED).any() for frame in codes):
        codes = codes.copy()
        codes[codes == IGNORED] = 0
    parts = (
        (BOTH, "Both", GREY),
        (EXPERT_ONLY, *_only(found.naming.expert, found.naming.expert_color)),
        (NONEXPERT_ONLY, *_only(found.naming.nonexpert, found.naming.nonexpert_color)),
    )
    whose = " of the network" if found.live.network_size is not None else ""
    hard = (1, f"Hard region ({kernel_size} px{whose})", PINK)
    try:
        for labels, named in ((codes, parts), (found.hard, [hard])):
            on_event(Progress(0, 0, "layers", "Showing the differences"))
            add_labels(labels, named, node, found.volume)
    except BaseException:
        remove_segmentation(node)
        raise
    replace_older(node, found.volume)
    return node


def rename_differences(node: slicer.vtkMRMLSegmentationNode, naming: Naming) -> None:
    """Call the parts of `show_differences` by other names, in their colours."""
    inside = node.GetSegmentation()
    for number, name, color in (
        (1, naming.expert, naming.expert_color),
        (2, naming.nonexpert, naming.nonexpert_color),
    ):
        segment = inside.GetSegment(inside.GetNthSegmentID(number))
        shown, rgb = _only(name, color)
        segment.SetName(shown)
        segment.SetColor(*rgb)


def _only(name: str, color: str) -> tuple[str, tuple[float, float, float]]:
    """Return what the pixels of one annotator alone are called, and their colour."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return f"{name[0].upper()}{name[1:]} only", (red, green, blue)


def show_table(found: Comparison) -> slicer.vtkMRMLTableNode:
    """Add the frame table to the scene."""
    name = slicer.mrmlScene.GenerateUniqueName(f"{found.volume.GetName()} frames")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    rows = [asdict(row) for row in found.rows]
    unit = "mm" if found.grid.has_geometry else "px"
    columns = {
        key.replace("_mm", f"_{unit}"): np.array([row[key] for row in rows])
        for key in rows[0]
    }
    slicer.util.updateTableFromArray(node, tuple(columns.values()), list(columns))
    node.SetAttribute(RESULT, "frames")
    put_beside(node, found.volume)
    replace_older(node, found.volume)
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
    from napari_microus.core.events import Progress

    reason = why_not(Consensus(method), len(annotators))
    if reason is not None:
        raise InputError(reason)
    masks = [
        mask_from_node(a.node, a.part, volume, a.role, on_event) for a in annotators
    ]
    fused = drain(
        consensus([m.array for m in masks], method, masks[0].spacing_mm), on_event
    )
    for number, frame in enumerate(fused):
        frame[frame != 1] = 0  # a segment has no undecided pixels
        on_event(Progress(number + 1, len(fused), message="Showing the consensus"))
    require_volume(volume)  # the window lived meanwhile
    node = new_segmentation(volume, f"{volume.GetName()} consensus")
    segment_id = add_segment(
        fused,
        node,
        volume,
        name=f"Consensus ({method.replace('_', ' ')})",
        color=GREEN,
        provenance={"consensus": method, "annotators": [a.name for a in annotators]},
    )
    return node, segment_id
