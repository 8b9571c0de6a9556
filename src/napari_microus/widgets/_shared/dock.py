"""What all our docks are: narrow enough to leave the picture half of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

_WIDTH = 340  # pixels that a dock asks for
NARROWEST = 300


class Dock(QWidget):
    """A dock's widget that asks for no more width than it needs.

    When it is shown, its area gives back what the picture lacks to half the window.
    """

    def sizeHint(self) -> QSize:
        """Ask for a narrow dock, whatever is inside; Qt's name."""
        hint = super().sizeHint()
        return QSize(min(hint.width(), _WIDTH), hint.height())

    def showEvent(self, event: QShowEvent) -> None:
        """See to the picture's width when the dock has its place; Qt's name."""
        super().showEvent(event)
        later = QTimer(self)
        later.setSingleShot(True)
        later.timeout.connect(self.leave_room)
        later.timeout.connect(later.deleteLater)
        later.start(0)

    def leave_room(self) -> None:
        """Make the dock narrower where the picture has less than half the window."""
        window, above = self.window(), self.parentWidget()
        while above is not None and not isinstance(above, QDockWidget):
            above = above.parentWidget()
        if not isinstance(window, QMainWindow) or not isinstance(above, QDockWidget):
            return
        picture, areas = window.centralWidget(), Qt.DockWidgetArea
        if picture is None or above.isFloating():
            return
        lacking = window.width() // 2 - picture.width()
        is_beside = window.dockWidgetArea(above) in (
            *(areas.LeftDockWidgetArea, areas.RightDockWidgetArea),
        )
        if lacking > 0 and is_beside:
            width = max(above.width() - lacking, above.minimumSizeHint().width())
            window.resizeDocks([above], [width], Qt.Orientation.Horizontal)
