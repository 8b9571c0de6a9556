"""What leaves the dock: exports, a report, a case; and a case that comes back."""

from __future__ import annotations

from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.core.events import Notice, Progress
from napari_microus.widgets._shared.belonging import lies_over, was_drawn_on
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.drawn import note_saved, provenance_now
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    is_derived,
    volume_from_layer,
)
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.segment import result_work
from napari_microus.widgets.segment.case_dialog import CaseDialog
from napari_microus.widgets.segment.case_layers import add_case, case_of, tie_case
from napari_microus.widgets.segment.in_space import add_in_space
from napari_microus.widgets.segment.result_work import Capsule

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel
    from napari.layers import Image, Labels

    from napari_microus.core.case import Case
    from napari_microus.core.events import Event
    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.segment.size_box import SizeBox


class ResultsPanel(QWidget):
    """Export, report and case of the capsule that is measured.

    ``opened(layer)`` is emitted with the capsule of a case that was opened.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layers are.
    sizes : SizeBox
        Gives the PSA and the diameters that a person typed.

    Attributes
    ----------
    ask_file, ask_folder : callable
        Ask for a path; tests replace them.
    ask_case : callable
        Asks for code, note and folder of a case.
    """

    opened = Signal(object)

    def __init__(
        self, viewer: ViewerModel, sizes: SizeBox, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._sizes = viewer, sizes
        self._layer: Labels | None = None
        self._worker: Worker | None = None
        self._what = ""
        self._then: Callable[[], None] | None = None
        self._folder, self._is_first = Path(), True
        self.ask_file: Callable[[str, str, str], str] = _ask_file
        self.ask_open: Callable[[str], str] = _ask_open
        self.ask_folder: Callable[[str], str] = _ask_folder
        self.ask_case: Callable[[CaseDialog], bool] = _ask_case
        self.export_button = push_button(
            tr("Export…"),
            tr(
                "DICOM Segmentation or RT Structure Set, surface (STL, OBJ, PLY), "
                "contours (CSV, JSON), film or pictures."
            ),
        )
        self.report_button = push_button(
            tr("Report…"), tr("One page with pictures, measurements and who drew what.")
        )
        self.save_button = push_button(
            tr("Save case…"),
            tr(
                "A folder with capsule, review, sizes and measurements, that opens "
                "again."
            ),
        )
        self.open_button = push_button(
            tr("Open case…"), tr("Scan and capsule as they were saved.")
        )
        self.cancel_button = push_button(tr("Cancel"), tr("Nothing is written then."))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.message = text()
        self.space_button = push_button(
            tr("Show in 3D"),
            tr("The sweep's plane and the capsule's surface, as they lie."),
        )
        grid = QGridLayout()
        grid.addWidget(self.export_button, 0, 0)
        grid.addWidget(self.report_button, 0, 1)
        grid.addWidget(self.save_button, 1, 0)
        grid.addWidget(self.open_button, 1, 1)
        grid.addWidget(self.space_button, 2, 0, 1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(grid)
        column.addWidget(self.progress)
        column.addWidget(self.cancel_button)
        column.addWidget(self.message)
        self.export_button.clicked.connect(self.export)
        self.report_button.clicked.connect(self.report)
        self.save_button.clicked.connect(self.save_case)
        self.open_button.clicked.connect(self.open_case)
        self.space_button.clicked.connect(self.show_in_space)
        self.cancel_button.clicked.connect(self._cancel)
        self._show_state()

    def watch(self, layer: Labels | None) -> None:
        """Offer what can be done with this capsule."""
        self._layer = layer
        self._show_state()

    @property
    def is_working(self) -> bool:
        """True while something is written or read."""
        return self._worker is not None

    # --- the four buttons

    def export(self) -> None:
        """Ask for a file, and write the capsule in the form of its ending."""
        layer = self._layer
        if layer is None:
            return
        forms = result_work.export_forms()
        path = self.ask_file(tr("Export the capsule"), layer.name, forms)
        if path:
            self._write(tr("Exporting"), result_work.exporting, Path(path))

    def report(self) -> None:
        """Ask for a file, and write the report."""
        if self._layer is None:
            return
        path = self.ask_file(
            tr("Write the report"), self._layer.name, tr("Report (*.html)")
        )
        if path:
            place = Path(path) if path.endswith(".html") else Path(f"{path}.html")
            stated = self._typed()
            self._write(tr("Writing the report"), result_work.reporting, place, stated)

    def save_case(self) -> None:
        """Ask for code, note and folder, and save the case."""
        if self._layer is None:
            return
        dialog = CaseDialog(case_of(self._layer), self._source(), self)
        if not self.ask_case(dialog):
            return
        stated = {**self._typed(), **dialog.stated()}
        work = result_work.saving
        self._write(tr("Saving the case"), work, dialog.folder, stated, self._on_saved)

    def open_case(self) -> None:
        """Ask for a case's folder, and show its scan and capsule."""
        folder = self.ask_folder(tr("Open a case"))
        if folder:
            self._open(Path(folder), None)

    def show_in_space(self) -> None:
        """Add the sweep and the surface as they lie in space, and turn to 3D."""
        layer = self._layer
        image = None if layer is None else scan_of(self._viewer, layer)
        if image is None or self._worker is not None:
            return
        self._begin(tr("Placing the sweep in space"))
        try:
            self._worker = add_in_space(
                self._viewer,
                image,
                layer,
                yielded=self._on_event,
                returned=self._on_placed,
                errored=self._on_error,
                aborted=self._on_aborted,
                finished=self._on_finished,
            )
        except MicroUSError as error:
            self._say(plain_words(error))
        self._show_state()

    def _on_placed(self, layers: list[Any]) -> None:
        names = " and ".join(f"'{layer.name}'" for layer in layers)
        self._say(
            tr("Added {names}. Press Ctrl+Y for the flat view.").format(names=names)
        )

    def _open(self, folder: Path, scan: Path | None) -> None:
        self._folder, self._is_first = folder, scan is None
        self._run(
            tr("Opening the case"),
            result_work.opening,
            folder,
            scan,
            returned=self._on_opened,
            errored=self._on_not_opened,
        )

    # --- what comes back

    def _on_opened(self, case: Case) -> None:
        layer = add_case(self._viewer, case)
        self._say(" ".join([f"Opened case {case.code}.", *case.notices]))
        measured = case.measurements
        self._sizes.psa.setValue(measured.psa_ng_ml or 0.0)
        for box, value in zip(
            self._sizes.diameters, measured.diameters_mm or (0, 0, 0), strict=True
        ):
            box.setValue(value)
        self.opened.emit(layer)

    def _on_not_opened(self, error: Exception) -> None:
        """Ask where the scan is now, once, where it was not found."""
        is_lost = isinstance(error, InputError) and "must be found" in str(error)
        if is_lost and self._is_first:
            path = self.ask_open(tr("Where is the scan of this case?"))
            if path:
                self._then = lambda: self._open(self._folder, Path(path))
                return
        self._on_error(error)

    def _on_saved(self, case: Case) -> None:
        layer = self._layer
        if layer is not None:
            tie_case(layer, case)
            note_saved(np.asarray(layer.data), layer.metadata)
        self._say(
            tr("Saved case {code} in {folder}.").format(
                code=case.code, folder=case.folder
            )
        )

    def _on_written(self, path: Path) -> None:
        self._say(tr("Wrote {path}.").format(path=path))
        if path.suffix == ".html":
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    # --- inside

    def _write(
        self,
        what: str,
        work: Any,
        path: Path,
        stated: dict[str, Any] | None = None,
        returned: Any = None,
    ) -> None:
        try:
            capsule = self._capsule()
        except MicroUSError as error:
            self._say(plain_words(error))
            return
        self._run(
            what,
            work,
            capsule,
            path,
            stated or {},
            returned=returned or self._on_written,
        )

    def _capsule(self) -> Capsule:
        """Return a copy of what is drawn, which work in a thread can rely on."""
        layer = self._layer
        assert layer is not None  # the buttons are off without one
        image = scan_of(self._viewer, layer)
        if image is None:
            raise InputError(
                f"The scan of '{layer.name}' must be open; got none that it lies "
                "over. Open the scan.",
                plain=(
                    f"The scan that '{layer.name}' was drawn on is not open. "
                    "Open it first."
                ),
            )
        mask = volume_from_layer(layer)
        mask = mask.like(mask.array.copy(), **mask.metadata)
        return Capsule(
            volume_from_layer(image),
            mask,
            provenance_now(mask.array, layer.metadata) or {},
            _probability(self._viewer, image),
            case_of(layer),
        )

    def _typed(self) -> dict[str, Any]:
        """Return PSA and diameters where they are stated."""
        stated: dict[str, Any] = {}
        if self._sizes.psa.value():
            stated["psa_ng_ml"] = self._sizes.psa.value()
        diameters = [box.value() for box in self._sizes.diameters]
        if all(diameters):
            stated["diameters_mm"] = diameters
        return stated

    def _source(self) -> Path | None:
        own = {} if self._layer is None else self._layer.metadata.get(METADATA_KEY, {})
        source = own.get("source")
        return Path(source) if source and exists(source) else None

    def _run(self, what: str, work: Any, *args: Any, **slots: Any) -> None:
        if self._worker is not None:
            return
        self._begin(what)
        slots = {"errored": self._on_error, **slots}
        self._worker = start_worker(
            work,
            *args,
            yielded=self._on_event,
            aborted=self._on_aborted,
            finished=self._on_finished,
            **slots,
        )
        self.destroyed.connect(self._worker.forget)
        self._show_state()

    def _begin(self, what: str) -> None:
        self._what, self._then = what, None
        self._say(f"{what} …")
        self.progress.setRange(0, 0)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.setRange(0, event.total)
            self.progress.setValue(event.done)
        elif isinstance(event, Notice):
            self._say(event.message)

    def _on_error(self, error: Exception) -> None:
        is_known = isinstance(error, (MicroUSError, OSError))
        self._say(
            plain_words(error)
            if is_known
            else tr("{what}: this failed ({error})").format(
                what=self._what, error=error
            )
        )

    def _on_aborted(self) -> None:
        self._say(tr("Cancelled. Nothing was written."))

    def _on_finished(self) -> None:
        self._worker = None
        self._show_state()
        then, self._then = self._then, None
        if then is not None:
            then()

    def _cancel(self) -> None:
        if self._worker is not None:
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def _show_state(self) -> None:
        is_busy, has_layer = self._worker is not None, self._layer is not None
        for button in (
            *(self.export_button, self.report_button),
            *(self.save_button, self.space_button),
        ):
            button.setEnabled(has_layer and not is_busy)
        self.open_button.setEnabled(not is_busy)
        for part in (self.progress, self.cancel_button):
            part.setVisible(is_busy)
        self.cancel_button.setEnabled(True)
        self.message.setVisible(bool(self.message.text()))

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))


def scan_of(viewer: ViewerModel, capsule: Labels) -> Image | None:
    """Return the image that a capsule was drawn on, else one that it lies over."""
    from napari.layers import Image as ImageLayer

    images = [
        layer
        for layer in viewer.layers
        if isinstance(layer, ImageLayer) and not is_derived(layer)
    ]
    drawn = [one for one in images if was_drawn_on(capsule, one, viewer.layers)]
    over = [one for one in images if lies_over(capsule, one)]
    return next(iter(drawn + over[::-1]), None)


def _probability(viewer: ViewerModel, image: Image) -> Any:
    """Return the model's probability where it is shown as a layer, else None."""
    for layer in viewer.layers:
        own = layer.metadata.get(METADATA_KEY, {})
        is_map = isinstance(own, dict) and own.get("map") == "probability"
        if is_map and lies_over(layer, image):
            return volume_from_layer(layer).array
    return None


def _ask_file(title: str, name: str, forms: str) -> str:
    path, chosen = QFileDialog.getSaveFileName(None, title, name, forms)
    if path and not Path(path).suffix and "*." in chosen:
        path += "." + chosen.split("*.")[1].split(")")[0].split()[0]
    return str(path)


def _ask_open(title: str) -> str:
    path, _ = QFileDialog.getOpenFileName(None, title)
    return str(path)


def _ask_folder(title: str) -> str:
    return str(QFileDialog.getExistingDirectory(None, title))


def _ask_case(dialog: CaseDialog) -> bool:
    return bool(dialog.exec())
