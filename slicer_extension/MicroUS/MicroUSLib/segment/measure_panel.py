"""The readout of *Segment*: the capsule's volume, PSA density, and 3D."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from MicroUSLib.failure import shown_plainly
from MicroUSLib.scene.nodes import is_in_scene
from MicroUSLib.scene.space import show_in_space

from . import measuring

if TYPE_CHECKING:
    from types import SimpleNamespace

    from .measuring import Measured

_EVENTS = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.SegmentRemoved,
)
# Strokes follow one another quickly; a sweep of more voxels takes too long for each.
_PAUSE_MS = 400
_MOST_VOXELS = 50_000_000


class MeasurePanel:
    """Measures the chosen capsule, and again after each change of it.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self._found: Measured | None = None
        self._watched: slicer.vtkSegmentation | None = None
        self._tags: list[int] = []
        self._timer = qt.QTimer()
        self._timer.singleShot = True
        self._timer.interval = _PAUSE_MS
        self._timer.timeout.connect(self._measure_again)
        ui.measureButton.clicked.connect(self.measure)
        ui.showInSpaceButton.clicked.connect(self.show_in_space)
        ui.psaLineEdit.textChanged.connect(self._report)
        ui.segmentationSelector.currentNodeChanged.connect(self.refresh)
        ui.volumeSelector.currentNodeChanged.connect(self.refresh)

    def refresh(self, *args: object) -> None:
        """Measure the chosen segmentation, and follow it."""
        self.leave()
        self._forget("")
        segmentation = self._ui.segmentationSelector.currentNode()
        has_both = segmentation is not None and (
            self._ui.volumeSelector.currentNode() is not None
        )
        self._ui.measureButton.enabled = has_both
        self._ui.showInSpaceButton.enabled = has_both
        if has_both:
            self._watched = segmentation.GetSegmentation()
            self._tags = [
                self._watched.AddObserver(event, self._on_change) for event in _EVENTS
            ]
            self._measure_soon("")

    def leave(self) -> None:
        """Follow nothing."""
        self._timer.stop()
        for tag in self._tags:
            self._watched.RemoveObserver(tag)
        self._tags, self._watched = [], None

    def measure(self, *args: object) -> None:
        """Measure the chosen capsule on its scan, and say what was found."""
        with shown_plainly(_("Nothing was measured.")):
            self._measure()

    def remeasure(self, volume: slicer.vtkMRMLVolumeNode) -> None:
        """Measure at once where a scan was segmented or got another size."""
        if volume is self._ui.volumeSelector.currentNode():
            self._measure_again()

    def show_in_space(self, *args: object) -> None:
        """Show the capsule as a closed surface, in mm."""
        with shown_plainly(_("Nothing is shown in 3D.")):
            show_in_space(*self._chosen())

    def _chosen(self) -> tuple[object, object, str]:
        """Return scan, segmentation and the segment to measure.

        Raises
        ------
        InputError
            If one is missing, or it is not known which segment is meant.
        """
        from napari_microus.core.errors import InputError

        volume = self._ui.volumeSelector.currentNode()
        segmentation = self._ui.segmentationSelector.currentNode()
        segment_id = None
        if segmentation is not None:
            segment_id = measuring.segment_to_measure(segmentation)
        if volume is None or segment_id is None:
            raise InputError(
                "A scan and its capsule must be chosen above; got none, or several "
                "segments of which none is a capsule of this module. Segment the scan, "
                "or choose a segmentation of one segment.",
                plain=(
                    "No scan with a capsule is chosen above, or the segmentation "
                    "has several segments. Segment the scan, or choose a "
                    "segmentation of one segment."
                ),
            )
        return volume, segmentation, segment_id

    def _measure(self) -> None:
        self._found = None
        self._found = measuring.measure(*self._chosen())
        self._report()

    def _measure_again(self) -> None:
        """Measure without being asked; what is wrong is said in the readout."""
        try:
            from napari_microus.core.errors import MicroUSError
        except ImportError:
            return  # nothing was installed yet
        self._timer.stop()
        segmentation = self._ui.segmentationSelector.currentNode()
        is_there = is_in_scene(segmentation) and measuring.segment_to_measure(
            segmentation
        )
        if not is_there or self._ui.volumeSelector.currentNode() is None:
            return  # nobody asked for a number
        try:
            self._measure()
        except MicroUSError as error:
            self._forget(error.plain)

    def _on_change(self, *args: object) -> None:
        """Take no number for that of a capsule that was changed since."""
        if self._found is not None:
            self._measure_soon(_("The capsule was changed: press Measure."))

    def _measure_soon(self, instead: str) -> None:
        """Measure in a pause; of a sweep for which that takes long, say ``instead``."""
        volume = self._ui.volumeSelector.currentNode()
        if not is_in_scene(volume) or volume.GetImageData() is None:
            return
        if volume.GetImageData().GetNumberOfPoints() <= _MOST_VOXELS:
            self._timer.start()
        else:
            self._forget(instead)

    def _forget(self, words: str) -> None:
        self._found = None
        self._ui.sizeLabel.text = words

    def _report(self, *args: object) -> None:
        from napari_microus.core.errors import InputError

        if self._found is None:
            return
        try:
            words = measuring.in_words(self._found, self._psa())
        except InputError as error:
            without = measuring.in_words(self._found)
            words = _("{0}\n{1}").format(without, error.plain)
        self._ui.sizeLabel.text = words

    def _psa(self) -> float | None:
        """Return the PSA that was typed.

        Raises
        ------
        InputError
            If it is no number.
        """
        from napari_microus.core.errors import InputError

        text = self._ui.psaLineEdit.text.strip()
        if not text:
            return None
        try:
            return float(text.replace(",", "."))
        except ValueError:
            raise InputError(
                f"PSA must be a number of ng/mL; got '{text}'. Correct the value.",
                plain=f"The PSA '{text}' is no number of ng/mL. Correct the value.",
            ) from None
