"""A choice that is filled when it is about to open."""

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox


class FreshComboBox(QComboBox):
    """A combo box that says when it is about to open, so that it can be filled."""

    opening = Signal()

    def showPopup(self) -> None:
        """Open the list; Qt's name."""
        self.opening.emit()
        super().showPopup()
