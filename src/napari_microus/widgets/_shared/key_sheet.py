"""The keyboard sheet: one window with every key, made of the table of keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared.controls import scrolled
from napari_microus.widgets._shared.key_table import key_groups
from napari_microus.widgets._shared.words import tr

_HEIGHT = 560  # pixels; it scrolls on a lower screen


def show_sheet(parent: QWidget | None) -> QDialog:
    """Open the sheet over the window of ``parent`` and return it."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(tr("Keys of MicroUS"))
    inside = QWidget()
    grid = QGridLayout(inside)
    grid.setHorizontalSpacing(16)
    line = 0
    for group in key_groups():
        grid.addWidget(QLabel(f"<b>{group.title}</b>"), line, 0, 1, 2)
        line += 1
        for key, words in group.lines:
            name = QLabel(key or "–")
            name.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(name, line, 0)
            grid.addWidget(QLabel(words), line, 1)
            line += 1
    grid.setColumnStretch(1, 1)
    note = QLabel(tr("Keys can be changed in Preferences ▸ Shortcuts."))
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.button(QDialogButtonBox.StandardButton.Close).setToolTip(
        tr("Close the sheet (Esc).")
    )
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.addWidget(scrolled(inside))
    column.addWidget(note)
    column.addWidget(buttons)
    dialog.resize(max(460, inside.sizeHint().width() + 40), _HEIGHT)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
    return dialog
