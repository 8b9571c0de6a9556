"""Load a case of the work list into the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from MicroUSLib.scene.annotations import parts_of
from MicroUSLib.scene.nodes import scan_from_volume
from MicroUSLib.scene.resampling import load_mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.core.events import Event

# Attribute that tells which file a node was loaded from, so that it is loaded once.
_FILE = "MicroUS.File"


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
        Told between two files.

    Returns
    -------
    scan and list of (mask, part)
        The scan is None where the list knows none; masks are in the case's order.

    Raises
    ------
    InputError
        If a file cannot be read; what was loaded for the case before is removed.
    """
    from napari_microus.core.events import Progress
    from napari_microus.core.io import read_volume

    new: list[slicer.vtkMRMLNode] = []
    total = len(case.masks) + 1
    try:
        scan = None
        on_event(Progress(0, total, "files", "Opening the case"))
        if case.scan is not None:
            scan = _loaded(case.scan)
            if scan is None:
                scan = scan_from_volume(read_volume(case.scan), case.case)
                new.append(scan)
                scan.SetAttribute(_FILE, str(case.scan.resolve()))
        drawn = []
        for done, path in enumerate(case.masks.values(), start=1):
            on_event(Progress(done, total, "files", "Opening the case"))
            node = _loaded(path)
            if node is None:
                node = load_mask(str(path), scan, on_event)
                new.append(node)
                node.SetAttribute(_FILE, str(path.resolve()))
            parts = parts_of(node)
            drawn.append((node, parts[0][0] if parts else ""))
    except BaseException:
        for node in new:
            slicer.mrmlScene.RemoveNode(node)
        raise
    if scan is not None:
        slicer.util.setSliceViewerLayers(background=scan, label=None, fit=True)
    return scan, drawn


def _loaded(path: Path) -> slicer.vtkMRMLVolumeNode | None:
    name = str(path.resolve())
    for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode"):
        if node.GetAttribute(_FILE) == name:
            return node
    return None
