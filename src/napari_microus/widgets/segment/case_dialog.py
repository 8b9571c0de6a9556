"""Ask for the code, a note and the folder of a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.controls import beside, push_button, text
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari_microus.core.case import Case


class CaseDialog(QDialog):
    """What a person states about a case.

    Parameters
    ----------
    case : Case, optional
        What it was saved as, or opened from.
    source : Path, optional
        The scan's file, for the pseudonym of a DICOM's patient.

    Attributes
    ----------
    code, place : QLineEdit
    note : QPlainTextEdit
    copies_scan : QCheckBox
    """

    def __init__(
        self, case: Case | None, source: Path | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._source = source
        self.setWindowTitle(tr("Save case"))
        self.code = QLineEdit("" if case is None else case.code)
        self.code.setPlaceholderText(tr("made from the scan's pixels"))
        self.code.setToolTip(
            tr("A code that does not reveal who it is: no name, no date.")
        )
        self.pseudonym_button = push_button(
            tr("Pseudonym"),
            tr(
                "The same for this patient each time: a hash with a key that "
                "stays on this computer."
            ),
        )
        self.pseudonym_button.setVisible(source is not None)
        self.note = QPlainTextEdit("" if case is None else case.note)
        self.note.setMaximumHeight(80)
        # napari's style gives it the window's colour and no edge.
        self.note.setStyleSheet("QPlainTextEdit { border: 1px solid gray }")
        self.copies_scan = QCheckBox(tr("Copy the scan into the case"))
        self.copies_scan.setToolTip(
            tr("Else the case finds it by its pixels, wherever it lies now.")
        )
        self.place = QLineEdit("" if case is None else str(case.folder))
        self.place_button = QPushButton("…")
        self.message = text()
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Save | kinds.Cancel)
        form = QFormLayout(self)
        form.addRow(tr("Code"), beside(self.code, self.pseudonym_button))
        form.addRow(tr("Note"), self.note)
        form.addRow("", self.copies_scan)
        form.addRow(tr("Folder"), beside(self.place, self.place_button))
        form.addRow(self.message)
        form.addRow(self.buttons)
        self.resize(460, 260)
        self.buttons.accepted.connect(self._accept)
        self.buttons.rejected.connect(self.reject)
        self.pseudonym_button.clicked.connect(self._take_pseudonym)
        self.place_button.clicked.connect(self._ask_place)

    @property
    def folder(self) -> Path:
        """Where the case goes."""
        return Path(self.place.text().strip())

    def stated(self) -> dict[str, Any]:
        """Return code, note and whether to copy, as `saving_case` takes them."""
        return {
            "code": self.code.text().strip() or None,
            "note": self.note.toPlainText().strip(),
            "copy_scan": True if self.copies_scan.isChecked() else None,
        }

    def _accept(self) -> None:
        if self.place.text().strip():
            self.accept()
        else:
            self.message.setText(tr("Choose a new folder for the case."))

    def _ask_place(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, tr("Folder of the case"), self.code.text().strip() or "case"
        )
        if path:
            self.place.setText(path)

    def _take_pseudonym(self) -> None:
        from napari_microus.core.io import dicom_pseudonym, pseudonym_key
        from napari_microus.core.io.dicom_series import first_dicom

        try:
            dicom = None if self._source is None else first_dicom(self._source)
            found = None if dicom is None else dicom_pseudonym(dicom, pseudonym_key())
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        if found is None:
            self.message.setText(
                tr("The scan states no patient to make a pseudonym of. Type a code.")
            )
            return
        self.code.setText(found)
