"""A strip with one cell for each frame: its colour shows how far the review is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_microus.core.colors import FRAME_STATES
from napari_microus.core.edit.review import FrameState
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

COLORS = {state: FRAME_STATES[state.name] for state in FrameState}
_HEIGHT = 18


class ReviewStrip(QWidget):
    """Shows the state of every frame; a click goes to one.

    ``chosen`` is emitted with the frame.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._states: list[FrameState] = []
        self._current = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName(tr("State of every frame"))

    def show_states(self, states: list[FrameState], current: int) -> None:
        """Show these states, and which frame is in view."""
        self._states, self._current = states, current
        self.update()

    def sizeHint(self) -> QSize:
        """Return a strip's size; Qt's name."""
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the cells; Qt's name."""
        painter = QPainter(self)
        count = max(1, len(self._states))
        for frame, state in enumerate(self._states):
            left = round(frame * self.width() / count)
            right = round((frame + 1) * self.width() / count)
            gap = 1 if right - left > 3 else 0
            painter.fillRect(
                left, 2, right - left - gap, _HEIGHT - 4, QColor(COLORS[state])
            )
        if self._states:
            left = round(self._current * self.width() / count)
            right = round((self._current + 1) * self.width() / count)
            painter.setPen(QPen(Qt.GlobalColor.white, 2))
            painter.drawRect(left, 1, max(2, right - left - 1), _HEIGHT - 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame that was clicked; Qt's name."""
        frame = self._frame_at(event)
        if frame is not None:
            self.chosen.emit(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show what the frame under the mouse is; Qt's name."""
        frame = self._frame_at(event)
        if frame is not None:
            words = f"Frame {frame}: {self._states[frame].value}"
            QToolTip.showText(self.mapToGlobal(event.pos()), words, self)

    def _frame_at(self, event: QMouseEvent) -> int | None:
        count = len(self._states)
        frame = int(event.pos().x() * count / max(1, self.width()))
        return frame if 0 <= frame < count else None
