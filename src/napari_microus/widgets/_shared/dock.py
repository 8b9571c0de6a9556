"""What all our docks are: narrow enough to leave the picture half of the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QPushButton, QWidget

from napari_microus.widgets._shared.focus_ring import show_focus
from napari_microus.widgets._shared.opening import frame_of, open_paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QShowEvent

_WIDTH = 340  # pixels that a dock asks for
NARROWEST = 300
_TOO_LOW = 1000  # pixels of a window in which docks one above the other lack room


class Dock(QWidget):
    """A dock's widget that asks for no more width than it needs.

    When it is shown, its area gives back what the picture lacks to half the window. In
    a low window it becomes a tab beside the dock of ours that was there before: one
    above the other both would have to be scrolled.
    Files and folders that are dropped on it are opened by our reader; napari, on whose
    picture they can be dropped as well, asks by which.
    """

    _viewer: Any

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.has_place = False
        self.setAcceptDrops(True)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus)

    def sizeHint(self) -> QSize:
        """Ask for a narrow dock, whatever is inside; Qt's name."""
        hint = super().sizeHint()
        return QSize(min(hint.width(), _WIDTH), hint.height())

    def _on_focus(self, _: QWidget | None, control: QWidget | None) -> None:
        """Show which of the dock's controls the keyboard has come to."""
        if control is not None and self.isAncestorOf(control):
            show_focus(control)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Press the button that has the focus by Return, too; Qt's name.

        Qt does so in dialogs and on some desktops; Space works everywhere.
        """
        button, keys = self.window().focusWidget(), Qt.Key
        is_return = event.key() in (keys.Key_Return, keys.Key_Enter)
        if is_return and isinstance(button, QPushButton) and self.isAncestorOf(button):
            button.click()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """See to the picture's width when the dock has its place; Qt's name."""
        super().showEvent(event)
        self._soon(self._join_others, self.leave_room)

    def _soon(self, *do: Callable[[], object]) -> None:
        """Do something when Qt has done what it is at, unless the dock goes before."""
        later = QTimer(self)
        later.setSingleShot(True)
        for one in (*do, later.deleteLater):
            later.timeout.connect(one)
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

    def _join_others(self) -> None:
        """Become a tab of another dock of ours, once; later it lies where it is put."""
        window, above = self.window(), frame_of(self)
        if self.has_place or not isinstance(window, QMainWindow) or above is None:
            return
        self.has_place = True
        if window.height() >= _TOO_LOW or window.tabifiedDockWidgets(above):
            return
        area = window.dockWidgetArea(above)
        for other in window.findChildren(Dock):
            frame = frame_of(other)
            if frame is None or frame is above or not other.has_place:
                continue
            is_seen = frame.isVisible() and not frame.isFloating()
            if is_seen and window.dockWidgetArea(frame) == area:
                window.tabifyDockWidget(frame, above)
                above.show()
                self._soon(above.raise_)  # once the tab is there
                return

    def leave_room(self) -> None:
        """Make the dock narrower where the picture has less than half the window."""
        window, above = self.window(), frame_of(self)
        if not isinstance(window, QMainWindow) or above is None:
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
