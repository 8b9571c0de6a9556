"""The watched validation frame: picture, choice, and its way into the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.runs.folder import request_preview
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.train.preview import (
    LEGEND,
    Shown,
    picture,
    read_preview,
    remove_layers,
    show_layers,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel

    from napari_microus.core.events import Event, Preview
    from napari_microus.widgets._shared.worker import Worker

_LEAST_WIDTH = 160
_PICTURE_WIDTH = 270
_PICTURE_HEIGHT = 210


class WatchedFrame(QGroupBox):
    """Shows the prediction on one validation frame, with its error in colour.

    Parameters
    ----------
    viewer : ViewerModel
        Takes the frame as layers, when asked for.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(tr("Prediction on a validation frame"), parent)
        self._viewer = viewer
        self._run: Path | None = None
        self._worker: Worker | None = None
        self._waiting: Preview | None = None
        self.shown: Shown | None = None
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setMinimumHeight(_PICTURE_HEIGHT)  # no jump when it comes
        self.picture.setMinimumWidth(1)  # it never makes the dock wider
        self.caption = QLabel()
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        self.caption.setWordWrap(True)
        self.as_layers = QCheckBox(tr("Show as layers"))
        self.as_layers.setToolTip(
            tr("Add the frame and its error to the viewer; both follow the training.")
        )
        self.case_box = QSpinBox()
        self.case_box.setRange(1, 9999)
        self.case_box.setToolTip(
            tr("Which validation case to watch; takes effect at the next validation.")
        )
        self.frame_box = QSpinBox()
        self.frame_box.setRange(-1, 99999)
        self.frame_box.setValue(-1)
        self.frame_box.setSpecialValueText("largest")
        self.frame_box.setToolTip(
            tr(
                "Which frame of that case to watch; the one with the largest "
                "capsule, or a number from 0."
            )
        )
        self._lay_out()
        self.as_layers.toggled.connect(self._on_as_layers)
        self.case_box.valueChanged.connect(self._on_choice)
        self.frame_box.valueChanged.connect(self._on_choice)

    def _lay_out(self) -> None:
        choice = QFormLayout()  # one below the other: a narrow dock holds them
        choice.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        choice.addRow(tr("Case"), self.case_box)
        choice.addRow(tr("Frame"), self.frame_box)
        column = QVBoxLayout(self)
        column.addWidget(self.picture)
        column.addWidget(self.caption)
        column.addLayout(choice)
        column.addWidget(self.as_layers)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def watch(self, run: Path) -> None:
        """Show the frames of another run from now on."""
        self._run, self.shown, self._waiting = run, None, None
        self.picture.setText(tr("after the first validation"))
        self.caption.setText(LEGEND)
        for box, value in ((self.case_box, 1), (self.frame_box, -1)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)

    def show_preview(self, preview: Preview) -> None:
        """Read what the run wrote, in a thread, and show it."""
        self._waiting = preview
        if self._worker is None and self._run is not None:
            self._waiting = None
            self._worker = start_worker(
                _read,
                self._run / Path(preview.path).name,
                preview,
                returned=self._on_read,
                finished=self._on_finished,
            )
            self.destroyed.connect(self._worker.forget)

    def _on_read(self, shown: Shown | None) -> None:
        if shown is None:
            return
        self.shown = shown
        width = min(_PICTURE_WIDTH, max(self.picture.width(), _LEAST_WIDTH))
        self.picture.setPixmap(picture(shown, width))
        self.caption.setText(f"{shown.title}<br>{LEGEND}")
        if self.as_layers.isChecked():
            show_layers(self._viewer, shown)

    def _on_finished(self) -> None:
        self._worker = None
        if self._waiting is not None:
            self.show_preview(self._waiting)

    def _on_as_layers(self, is_on: bool) -> None:
        if not is_on:
            remove_layers(self._viewer)
        elif self.shown is not None:
            show_layers(self._viewer, self.shown)

    def _on_choice(self) -> None:
        if self._run is None:
            return
        frame = self.frame_box.value()
        wanted = None if frame < 0 else frame
        try:
            request_preview(self._run, self.case_box.value() - 1, wanted)
        except MicroUSError as error:
            self.caption.setText(plain_words(error))


def _read(path: Path, preview: Preview) -> Generator[Event, None, Shown | None]:
    yield from ()
    return read_preview(path, preview)
