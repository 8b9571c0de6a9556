"""Dock widget with four beginnings: a scan of ours, one's own, masks, training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_microus.widgets._shared.accessible import describe_controls
from napari_microus.widgets._shared.boxes import check
from napari_microus.widgets._shared.controls import push_button, scrolled, text
from napari_microus.widgets._shared.dock import NARROWEST, Dock
from napari_microus.widgets._shared.first_use import note_welcomed
from napari_microus.widgets._shared.footer import Footer
from napari_microus.widgets._shared.opening import (
    COMPARE,
    SEGMENT,
    TRAIN,
    ask_scans,
    open_dock,
    open_sample,
)
from napari_microus.widgets._shared.reader_choice import open_unasked, opens_unasked
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QShowEvent


class WelcomeWidget(Dock):
    """Where to begin; each door opens what it needs.

    Parameters
    ----------
    viewer : Viewer
        Viewer in which docks and scans are opened.
    parent : QWidget, optional
        Qt parent.
    """

    def __init__(
        self, viewer: napari.viewer.Viewer, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        # napari hands docks a proxy; see `SegmentWidget`.
        self._viewer = getattr(viewer, "__wrapped__", viewer)
        self.sample_button = _entry(
            tr("Try a real scan"),
            tr("Opens ten real frames of one patient and Segment capsule."),
        )
        self.own_button = _entry(
            tr("Open my own scan…"),
            tr("Asks for a DICOM, NIfTI or picture file, then opens Segment capsule."),
        )
        self.compare_button = _entry(
            tr("Compare two annotations"),
            tr("Opens the real frames with two outlines and Compare annotations."),
        )
        self.train_button = _entry(
            tr("Train a model"),
            tr("Opens Train: collect annotated scans and teach a model with them."),
        )
        self.unasked = check(
            tr("Open scans and folders with MicroUS,\nwithout asking which reader"),
            tr(
                "What is dropped on the picture, or opened by the File menu. napari's "
                "own reader loses the size of a scan and cannot read DICOM. Kept under "
                "Preferences, Plugins."
            ),
            is_on=opens_unasked(),
        )
        self.message = text()
        self.message.setVisible(False)
        self.footer = Footer(self._viewer, has_welcome=False)
        self.footer.serve(self)
        title = QLabel(tr("<b>MicroUS: the prostate in micro-ultrasound</b>"))
        title.setWordWrap(True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.addWidget(title)
        column.addWidget(text(tr("Where would you like to begin?")))
        for button, does in (
            (self.sample_button, tr("see the capsule drawn in ten frames")),
            (self.own_button, tr("DICOM, NIfTI, NRRD, pictures")),
            (self.compare_button, tr("see where two people differ")),
            (self.train_button, tr("with your own scans, or made-up ones")),
        ):
            button.setAccessibleDescription(does)
            column.addWidget(button)
            note = text(does)
            note.setStyleSheet("font-size: 11px; margin-bottom: 4px")
            column.addWidget(note)
        column.addWidget(self.message)
        column.addWidget(self.unasked)
        column.addWidget(self.footer)
        column.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(inside))
        self.setMinimumWidth(NARROWEST)
        self.sample_button.clicked.connect(self.try_sample)
        self.own_button.clicked.connect(self.open_own)
        self.compare_button.clicked.connect(self.compare)
        self.train_button.clicked.connect(self.train)
        self.unasked.toggled.connect(open_unasked)
        describe_controls(self)

    def showEvent(self, event: QShowEvent) -> None:
        """Remember that it was seen; Qt's name."""
        super().showEvent(event)
        self.unasked.setChecked(opens_unasked())  # napari's preferences may differ now
        note_welcomed()

    def try_sample(self) -> None:
        """Open the sample's scan and *Segment capsule*."""
        scan = open_sample(self._viewer, with_outlines=False)
        dock = open_dock(self._viewer, SEGMENT)
        self._say(tr("'{scan}' is open. Press Segment.").format(scan=scan.name))
        _focus(dock, "run_button")

    def open_own(self) -> None:
        """Ask for a scan, and open *Segment capsule* on it."""
        if ask_scans(self._viewer):
            dock = open_dock(self._viewer, SEGMENT)
            self._say(tr("Your scan is open. Press Segment."))
            _focus(dock, "run_button")

    def compare(self) -> None:
        """Open the sample with its outlines and *Compare annotations*."""
        open_sample(self._viewer, with_outlines=True)
        dock = open_dock(self._viewer, COMPARE)
        self._say(tr("Two outlines are open. Press Compare."))
        picker = getattr(dock, "picker", None)
        _focus(picker, "compare_button")

    def train(self) -> None:
        """Open *Train*."""
        dock = open_dock(self._viewer, TRAIN)
        self._say(tr("Train is open. Phantoms, made by the computer, need no scans."))
        _focus(dock, "start_button")

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(True)


def _focus(holder: QWidget | None, name: str) -> None:
    """Put the keyboard on the button to press next."""
    button = getattr(holder, name, None)
    if isinstance(button, QPushButton):
        button.setFocus()


def _entry(words: str, tip: str) -> QPushButton:
    button = push_button(words, tip)
    button.setMinimumHeight(30)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button
