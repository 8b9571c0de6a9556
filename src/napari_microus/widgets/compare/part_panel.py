"""Controls that decide less than a region, or more than one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)

from napari_microus.core.compare.adjudication.history import Note
from napari_microus.core.compare.adjudication.selection import REASONS
from napari_microus.core.compare.adjudication.votes import ANNOTATORS, Decision
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.part_tools import ADVICE

if TYPE_CHECKING:
    from napari_microus.core.compare.naming import Naming

_TOOLS = {"brush": "Brush", "lasso": "Lasso", "along": "Along contour"}


class PartPanel(QWidget):
    """A part by brush, lasso or drag, and a contour in between.

    ``tool_chosen(name)`` is emitted with a tool's name, "" for none.
    """

    tool_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.in_favour = combo(tr("Whose drawing stands where you mark."))
        self.tools = {name: QPushButton(words) for name, words in _TOOLS.items()}
        self.size = QSpinBox()
        self.size.setRange(1, 400)
        self.size.setValue(24)
        self.size.setSuffix(" px")
        self.size.setToolTip(tr("Width of the brush."))
        row = QHBoxLayout()
        for name, button in self.tools.items():
            button.setCheckable(True)
            button.setToolTip(ADVICE[name])
            button.toggled.connect(self._on_tool)
            row.addWidget(button)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setValue(50)
        self.slider.setToolTip(
            tr("A contour between the two, from the first annotator's to the second's.")
        )
        self.between_button = push_button(
            tr("Set this contour"),
            tr("Draw the contour between the two, where the slider stands."),
        )
        self.first, self.second = QLabel(), QLabel()
        between = QHBoxLayout()
        for widget in (self.first, self.slider, self.second):
            between.addWidget(widget)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("In favour of"), self.in_favour)
        form.addRow(row)
        form.addRow(tr("Brush"), self.size)
        form.addRow(text(tr("<b>In between</b>")))
        form.addRow(between)
        form.addRow(self.between_button)

    def show_naming(self, naming: Naming, more: tuple[str, ...]) -> None:
        """Offer the annotators by the names they have now, in blind order."""
        fill_decisions(self.in_favour, naming, more)
        self.first.setText(naming.first)
        self.second.setText(naming.second)
        for widget in (self.first, self.slider, self.second, self.between_button):
            widget.setEnabled(not more)

    def decision(self) -> Decision:
        """Return whose drawing stands where a part is marked."""
        return Decision(self.in_favour.currentData())

    def switch_off(self) -> None:
        """Show that no tool is on."""
        for button in self.tools.values():
            button.setChecked(False)

    def _on_tool(self, is_on: bool) -> None:
        chosen = next((n for n, b in self.tools.items() if b is self.sender()), "")
        if is_on:
            for name, button in self.tools.items():
                if name != chosen:
                    button.blockSignals(True)
                    button.setChecked(False)
                    button.blockSignals(False)
            self.tool_chosen.emit(chosen)
        elif not any(button.isChecked() for button in self.tools.values()):
            self.tool_chosen.emit("")


class SeveralPanel(QWidget):
    """Several regions at once, and one decision in neighbouring frames.

    All is shown before it is done.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.which = combo(tr("Which regions are decided together."))
        for words, name in (
            (tr("all open regions"), "open"),
            (tr("open regions with a max gap up to"), "gap"),
            (tr("the selected rows"), "selected"),
            (tr("the same stretch in neighbouring frames"), "neighbours"),
        ):
            self.which.addItem(words, name)
        self.gap = QDoubleSpinBox()
        self.gap.setToolTip(tr("How far apart the contours are at most."))
        self.gap.setRange(0, 1000)
        self.gap.setValue(1)
        self.gap.setSingleStep(0.25)
        self.frames = QSpinBox()
        self.frames.setToolTip(tr("How many frames before and after this region."))
        self.frames.setRange(1, 100)
        self.frames.setValue(2)
        self.frames.setPrefix("± ")
        self.frames.setSuffix(" frames")
        self.in_favour = combo(tr("Whose outline is taken there."))
        self.preview_button = push_button(
            tr("Preview"),
            tr("Show which regions would be decided; nothing is changed yet."),
        )
        self.apply_button = push_button(
            tr("Apply"), tr("One step: a single Undo takes all of it back.")
        )
        self.cancel_button = push_button(
            tr("Cancel"), tr("Leave the regions as they are.")
        )
        self.count = text()
        buttons = QHBoxLayout()
        for button in (self.preview_button, self.apply_button, self.cancel_button):
            buttons.addWidget(button)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("Decide"), self.which)
        form.addRow(tr("Max gap"), self.gap)
        form.addRow(tr("Neighbours"), self.frames)
        form.addRow(tr("In favour of"), self.in_favour)
        form.addRow(buttons)
        form.addRow(self.count)
        self.form = form
        self.which.currentIndexChanged.connect(self._on_which)
        self.show_preview("")
        self._on_which()

    def show_naming(self, naming: Naming, more: tuple[str, ...], unit: str) -> None:
        """Offer the annotators by the names they have now, in blind order."""
        fill_decisions(self.in_favour, naming, more)
        self.gap.setSuffix(f" {unit}")

    def show_preview(self, words: str) -> None:
        """Show what would be done, "" for nothing yet."""
        self.count.setText(words)
        self.apply_button.setEnabled(bool(words))
        self.cancel_button.setEnabled(bool(words))

    def decision(self) -> Decision:
        """Return whose drawing stands."""
        return Decision(self.in_favour.currentData())

    def _on_which(self, _: int = 0) -> None:
        chosen = self.which.currentData()
        self.form.setRowVisible(self.gap, chosen == "gap")
        self.form.setRowVisible(self.frames, chosen == "neighbours")


class NotePanel(QWidget):
    """Reason, comment, a flag for a second reader; ``edited()`` on a change."""

    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reason = combo(tr("Why they differ here. Others can be typed."))
        self.reason.setEditable(True)
        self.reason.addItems(["", *REASONS])
        self.comment = QLineEdit()
        self.comment.setToolTip(tr("Why it was decided so, for who reads it later."))
        self.comment.setPlaceholderText("comment")
        self.flag = QCheckBox(tr("For a second reader"))
        self.flag.setToolTip(tr("Mark the region for somebody else to look at."))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel(tr("Reason")), 0, 0)
        grid.addWidget(self.reason, 0, 1)
        grid.addWidget(self.comment, 1, 0, 1, 2)
        grid.addWidget(self.flag, 2, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        self._is_showing = False
        self.reason.currentTextChanged.connect(self._on_edit)
        self.comment.textEdited.connect(self._on_edit)
        self.flag.toggled.connect(self._on_edit)

    def show_note(self, note: Note | None) -> None:
        """Show the note of a region."""
        note = note or Note()
        self._is_showing = True
        self.reason.setCurrentText(note.reason)
        if self.comment.text() != note.comment:
            self.comment.setText(note.comment)
        self.flag.setChecked(note.is_flagged)
        self._is_showing = False

    def add_reasons(self, reasons: set[str]) -> None:
        """Offer reasons that were written before."""
        known = {self.reason.itemText(row) for row in range(self.reason.count())}
        self._is_showing = True
        self.reason.addItems(sorted(reasons - known))
        self._is_showing = False

    def note(self) -> Note:
        """Return the note as it is written now."""
        return Note(
            self.reason.currentText().strip(),
            self.comment.text().strip(),
            self.flag.isChecked(),
        )

    def _on_edit(self, _: object = None) -> None:
        if not self._is_showing:
            self.edited.emit()


def fill_decisions(box: QComboBox, naming: Naming, more: tuple[str, ...]) -> None:
    """Offer every annotator, the majority of three or more, and undecided."""
    before = box.currentData()
    two = [(naming.expert, Decision.expert), (naming.nonexpert, Decision.nonexpert)]
    if naming.is_swapped:
        two.reverse()
    others = list(zip(more, ANNOTATORS[2:], strict=False))
    if others:
        others.append(("majority", Decision.majority))
    box.clear()
    for name, decision in (*two, *others, ("undecided", Decision.undecided)):
        box.addItem(name, str(decision))
    if before is not None and (row := box.findData(before)) >= 0:
        box.setCurrentIndex(row)
