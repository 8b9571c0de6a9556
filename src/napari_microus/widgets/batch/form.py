"""The choices of the *Batch* dock: scans, results, model and options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared.boxes import (
    AVERAGE,
    DeviceBox,
    ModelBox,
    check,
    spin,
)
from napari_microus.widgets._shared.controls import beside, fold, push_button
from napari_microus.widgets._shared.preferences import preferred
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.library import ModelInfo

RESULTS = "capsules"


class BatchForm(QWidget):
    """Which scans, where the results go, and how; ``scans_changed`` when to look again.

    Parameters
    ----------
    list_models : callable
        Gives what the choice of models holds.
    """

    scans_changed = Signal()

    def __init__(
        self, list_models: Callable[[], list[ModelInfo]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._list_models = list_models
        self._proposed = ""
        self.scans_edit = _path_edit(tr("The folder of the scans."))
        self.scans_button = push_button(
            tr("Choose…"), tr("Choose the folder of the scans.")
        )
        self.recursive = check(
            tr("Folders of folders, too"),
            tr("Look for scans in the folders below as well."),
        )
        self.output_edit = _path_edit(
            tr(
                "The folder of the results: masks, measurements.csv and a "
                "contact sheet."
            )
        )
        self.output_button = push_button(
            tr("Choose…"), tr("Choose the folder of the results.")
        )
        self.model_box = ModelBox()
        self.device_box = DeviceBox()
        self.workers = spin(
            tr(
                "Scans that are segmented at the same time. Each takes memory of "
                "its own; on one graphics card, 1 is best."
            )
        )
        self.workers.setRange(1, max(1, os.cpu_count() or 1))
        self.flip = check(
            AVERAGE,
            tr(
                "Average with the answer to the mirrored frame: steadier, half as fast."
            ),
            is_on=preferred("flip", False),
        )
        self.overwrite = check(
            tr("Replace masks\nof another making"),
            tr(
                "Also replace masks that were made from another model, or "
                "changed by hand. Without the tick they stay, and the scan "
                "counts as failed."
            ),
        )
        self._lay_out()
        self.refresh_models()
        self.scans_button.clicked.connect(self.ask_scans)
        self.output_button.clicked.connect(self._ask_output)
        self.scans_edit.editingFinished.connect(self._on_scans)
        self.output_edit.editingFinished.connect(self.scans_changed)
        self.recursive.toggled.connect(self.scans_changed)
        self.model_box.opening.connect(self.refresh_models)

    def _lay_out(self) -> None:
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.addRow(
            tr("Scans"), beside(self.scans_edit, self.scans_button, stretch=(1,))
        )
        rows.addRow("", self.recursive)
        rows.addRow(
            tr("Results"), beside(self.output_edit, self.output_button, stretch=(1,))
        )
        rows.addRow(tr("Model"), self.model_box)
        inner = QWidget()
        more = QFormLayout(inner)
        more.setContentsMargins(12, 0, 0, 0)
        # A row of its own: a fold opens as far as its rows need that do not wrap.
        runs = QLabel(tr("Where the model runs"))
        runs.setBuddy(self.device_box)
        more.addRow(runs)
        more.addRow(self.device_box)
        more.addRow(tr("At the same time"), self.workers)
        more.addRow(self.flip)
        more.addRow(self.overwrite)
        self.options = fold(tr("More options"), inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.options)

    @property
    def scans(self) -> Path | None:
        """The folder of the scans."""
        return _path(self.scans_edit)

    @property
    def output(self) -> Path | None:
        """The folder of the results."""
        return _path(self.output_edit)

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model."""
        return self.model_box.chosen

    def choose(self, scans: Path) -> None:
        """Take a folder of scans, as if it had been typed."""
        self.scans_edit.setText(str(scans))
        self._on_scans()

    def arguments(self) -> list[str]:
        """Return the words after ``napari-microus`` that do what is chosen."""
        model = self.model
        assert model is not None  # the button is off without one
        words = ["segment", str(self.scans), "--output", str(self.output)]
        words += ["--model", model.name, "--device", self.device_box.chosen]
        words += ["--workers", str(self.workers.value())]
        for box, option in (
            (self.recursive, "--recursive"),
            (self.flip, "--flip"),
            (self.overwrite, "--overwrite"),
        ):
            words += [option] if box.isChecked() else []
        return words

    def refresh_models(self) -> None:
        """Read the library again."""
        self.model_box.fill(self._list_models())

    def _on_scans(self) -> None:
        """Propose a place for the results, unless somebody named one."""
        if self.scans is not None and self.output_edit.text() == self._proposed:
            self._proposed = str(self.scans / RESULTS)
            self.output_edit.setText(self._proposed)
        self.scans_changed.emit()

    def ask_scans(self) -> None:
        """Ask for the folder of the scans."""
        start = self.scans_edit.text()
        name = QFileDialog.getExistingDirectory(self, tr("Folder of scans"), start)
        if name:
            self.choose(Path(name))

    def _ask_output(self) -> None:
        start = self.output_edit.text()
        name = QFileDialog.getExistingDirectory(
            self, tr("Folder of the results"), start
        )
        if name:
            self.output_edit.setText(name)
            self.scans_changed.emit()


def _path_edit(tip: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setToolTip(tip)
    edit.setPlaceholderText(tr("a folder"))
    return edit


def _path(edit: QLineEdit) -> Path | None:
    text = edit.text().strip()
    return Path(text).expanduser() if text else None
