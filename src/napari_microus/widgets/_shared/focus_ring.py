"""Show which control the keyboard is on: napari's themes draw nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QRect, Qt
from qtpy.QtGui import QFocusEvent, QPainter, QPalette, QPen
from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

_WIDTH = 2  # pixels


class FocusRing(QWidget):
    """A frame on top of a control, until the keyboard leaves it.

    Parameters
    ----------
    control : QWidget
        What the keyboard is on; the ring belongs to it.
    """

    def __init__(self, control: QWidget) -> None:
        super().__init__(control)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setGeometry(control.rect())
        control.installEventFilter(self)
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the control's size, and go with the focus; Qt's name."""
        if watched is self.parent():
            if event.type() == QEvent.Type.Resize:
                self.setGeometry(QRect(0, 0, watched.width(), watched.height()))
            elif isinstance(event, QFocusEvent) and event.lostFocus():
                # A list that opens below a box takes the focus for a while only.
                if event.reason() != Qt.FocusReason.PopupFocusReason:
                    self.hide()
                    self.deleteLater()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame in the colour of the text, dark on light and light on dark."""
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        painter = QPainter(self)
        painter.setPen(QPen(ink, _WIDTH))
        painter.drawRect(QRect(1, 1, self.width() - _WIDTH, self.height() - _WIDTH))
        painter.end()


def show_focus(control: QWidget) -> None:
    """Put a ring on a control that the keyboard has come to; a mouse needs none."""
    if QApplication.mouseButtons() == Qt.MouseButton.NoButton:
        FocusRing(control)
