"""What all our docks are: narrow enough to leave the picture half of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_microus.widgets._shared.opening import open_paths

if TYPE_CHECKING:
    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent

_WIDTH = 340  # pixels that a dock asks for
NARROWEST = 300


class Dock(QWidget):
    """A dock's widget that asks for no more width than it needs.

    When it is shown, its area gives back what the picture lacks to half the window.
    Files and folders that are dropped on it are opened by our reader; napari, on whose
    picture they can be dropped as well, asks by which.
    """

    _viewer: Any

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)

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

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders of this computer; Qt's name."""
        if _dropped(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what is dropped; Qt's name."""
        paths = _dropped(event.mimeData())
        if paths:
            event.acceptProposedAction()
            open_paths(self._viewer, paths)

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


def _dropped(what: QMimeData | None) -> list[str]:
    """Return the places of what is dragged, none for what is no file."""
    urls = what.urls() if what is not None else []
    return [url.toLocalFile() for url in urls if url.isLocalFile()]
