"""Segment every volume of a sequence, and browse the capsules along with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from MicroUSLib.scene.nodes import is_in_scene, require_volume, volume_from_node
from MicroUSLib.scene.segments import add_segment, new_segmentation, remove_segmentation
from MicroUSLib.scene.sequence_items import shown_one_by_one

from . import job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_microus.core.events import Event


class SequenceJob:
    """All volumes behind the one that a sequence browser shows.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
        The node in which the browser shows the sequence's volumes.
    model, device : str
        As in `job.Request`.
    options : dict
        Settings of the prediction.
    """

    def __init__(
        self,
        volume: slicer.vtkMRMLScalarVolumeNode | None,
        model: str,
        device: str,
        options: dict[str, Any],
    ) -> None:
        self.volume = volume
        self._request = job.Request(volume, model=model, device=device, options=options)

    def check(self) -> None:
        """Raise a sentence unless the volume is that of a sequence, and usable.

        Raises
        ------
        InputError
            If no browser shows a sequence in the volume; and as `job.check`.
        """
        from napari_microus.core.errors import InputError

        job.check(self._request)
        if _browser(self.volume) is None:
            raise InputError(
                "A sequence must stand behind the volume; got the single volume "
                f"'{self.volume.GetName()}'. Choose All frames.",
                plain=(
                    f"'{self.volume.GetName()}' is a single volume without a "
                    "sequence. Choose All frames."
                ),
            )
        for _ in shown_one_by_one(self.volume):
            require_volume(self.volume)

    def arguments(self, folder: Path) -> list[str]:
        """Write every volume into ``folder`` and return the child's command line."""
        from napari_microus.core.io import write_volume

        scans = []
        for number in shown_one_by_one(self.volume):
            scans.append(folder / f"item{number:05d}.nii")
            write_volume(volume_from_node(self.volume), scans[-1])
        first, *rest = job.arguments(self._request, folder)
        # The command of one scan, with all of them in its place.
        rest[0:1] = [str(scan) for scan in scans]
        rest[rest.index("--output") + 1] = str(folder / "capsules")
        return [first, *rest]

    def collect(
        self, folder: Path, on_event: Callable[[Event], None]
    ) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
        """Add a sequence of segmentations to the browser; return what it shows.

        Raises
        ------
        InputError
            If the volume or its sequence left the scene during the run.
        """
        from napari_microus.core.events import Progress
        from napari_microus.core.io import read_provenance, read_volume

        self._require()
        browser = _browser(self.volume)
        source = browser.GetSequenceNode(self.volume)
        name = f"{self.volume.GetName()} capsule"
        shown = new_segmentation(self.volume, name)
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        count = browser.GetNumberOfItems()
        try:
            sequence.SetIndexName(source.GetIndexName())
            sequence.SetIndexUnit(source.GetIndexUnit())
            sequence.SetIndexType(source.GetIndexType())
            for number in shown_one_by_one(self.volume):
                path = folder / "capsules" / f"item{number:05d}_capsule.nii.gz"
                shown.GetSegmentation().RemoveAllSegments()
                add_segment(
                    read_volume(path).array,
                    shown,
                    self.volume,
                    provenance=read_provenance(path),
                )
                sequence.SetDataNodeAtValue(shown, source.GetNthIndexValue(number))
                on_event(Progress(number + 1, count, "items", "Showing the capsules"))
                self._require()
        except BaseException:
            if is_in_scene(shown):
                remove_segmentation(shown)
                slicer.mrmlScene.RemoveNode(sequence)
            raise
        logic = slicer.modules.sequences.logic()
        with slicer.util.NodeModify(browser):
            # In one step: in between, the logic would make a proxy of its own for a
            # sequence that is filled already.
            browser.AddSynchronizedSequenceNode(sequence)
            browser.AddProxyNode(shown, sequence, False)
        browser.SetSaveChanges(sequence, True)  # corrections stay with their item
        logic.UpdateProxyNodesFromSequences(browser)
        proxy = browser.GetProxyNode(sequence)
        return proxy, proxy.GetSegmentation().GetNthSegmentID(0)

    def _require(self) -> None:
        """Raise a sentence if the volume or its sequence left the scene."""
        from napari_microus.core.errors import InputError

        if not is_in_scene(self.volume) or _browser(self.volume) is None:
            raise InputError(
                "The sequence must stay in the scene until its segmentation is done; "
                "it was removed. Load it and press Apply again.",
                plain=(
                    "The sequence was removed from the scene while it was "
                    "segmented. Load it and press Apply again."
                ),
            )


def _browser(
    volume: slicer.vtkMRMLVolumeNode,
) -> slicer.vtkMRMLSequenceBrowserNode | None:
    return slicer.modules.sequences.logic().GetFirstBrowserNodeForProxyNode(volume)
