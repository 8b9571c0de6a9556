"""Load a case of the work list into the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from MicroUSLib.scene.annotations import parts_of
from MicroUSLib.scene.loaded_size import FILE
from MicroUSLib.scene.made_nodes import scan_from_volume
from MicroUSLib.scene.nodes import grid_from_node
from MicroUSLib.scene.resampling import laid_over, load_mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.core.events import Event


def open_case(
    case: ListedCase, on_event: Callable[[Event], None]
) -> tuple[
    slicer.vtkMRMLScalarVolumeNode | None,
    list[tuple[slicer.vtkMRMLLabelMapVolumeNode, str]],
]:
    """Load scan and masks, as far as they are not in the scene yet, and show the scan.

    Parameters
    ----------
    case : ListedCase
        Of `work_list`.
    on_event : callable
        Called between two files.

    Returns
    -------
    scan and list of (mask, part)
        The scan is None where the list has none; masks are in the case's order.

    Raises
    ------
    InputError
        If a file cannot be read; what was loaded for the case before is removed.
    """
    from napari_microus.core.compare.case_volumes import read_case_scan
    from napari_microus.core.events import Progress

    new: list[slicer.vtkMRMLNode] = []
    total = len(case.masks) + 1
    try:
        scan = None
        on_event(Progress(0, total, "files", "Opening the case"))
        if case.scan is not None:
            scan = _loaded(case.scan)
            if scan is None:
                scan = scan_from_volume(read_case_scan(case), case.case)
                new.append(scan)
                scan.SetAttribute(FILE, str(case.scan.resolve()))
        drawn = []
        for done, (annotator, path) in enumerate(case.masks.items(), start=1):
            on_event(Progress(done, total, "files", "Opening the case"))
            node = _loaded(path)
            if node is None:
                node = _read(case, annotator, scan, on_event)
                new.append(node)
                node.SetAttribute(FILE, str(path.resolve()))
            parts = parts_of(node)
            drawn.append((node, parts[0][0] if parts else ""))
    except BaseException:
        for node in new:
            slicer.mrmlScene.RemoveNode(node)
        raise
    if scan is not None:
        slicer.util.setSliceViewerLayers(background=scan, label=None, fit=True)
    return scan, drawn


def _read(
    case: ListedCase,
    annotator: str,
    scan: slicer.vtkMRMLScalarVolumeNode | None,
    on_event: Callable[[Event], None],
) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Add what somebody drew of a case, on the pixels of its scan."""
    from napari_microus.core.compare.case_volumes import read_case_mask
    from napari_microus.core.errors import InputError
    from napari_microus.core.io import stem_of

    path = case.masks[annotator]
    if scan is not None:
        try:
            mask = read_case_mask(case, annotator, grid_from_node(scan))
            return laid_over(mask.array, scan, stem_of(path))
        except InputError:
            pass  # of another grid, or of several labels: the panel can deal with it
    return load_mask(str(path), scan, on_event)


def _loaded(path: Path) -> slicer.vtkMRMLVolumeNode | None:
    name = str(path.resolve())
    for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode"):
        if node.GetAttribute(FILE) == name:
            return node
    return None
