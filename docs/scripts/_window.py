"""What the scripts that make pictures share: waiting, and a mouse on the canvas."""

import time

import numpy as np
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


def settle(condition=lambda: True, at_least_s=0.4):
    """Let the window work until the condition holds."""
    begun = time.monotonic()
    while not condition() or time.monotonic() - begun < at_least_s:
        QApplication.processEvents()
        time.sleep(0.005)


def click(button):
    """Click a button and let the window work."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle()


class Hand:
    """A mouse that goes to rows and columns of one frame of a layer."""

    def __init__(self, viewer, layer, frame):
        self.viewer, self.layer, self.frame = viewer, layer, frame
        self.canvas = viewer.window._qt_viewer.canvas
        self.native = self.canvas.native

    def at(self, row, column):
        """Return the point of the canvas over a pixel."""
        world = np.array(self.layer.data_to_world((self.frame, row, column)))[-2:]
        camera = self.viewer.scene.camera
        middle = np.array(camera.center)[-2:]
        size = np.array([self.native.height(), self.native.width()])
        y, x = (world - middle) * camera.zoom + size / 2
        return QPointF(float(x), float(y))

    def _send(self, kind, point, pressed, modifiers):
        left = Qt.MouseButton.LeftButton
        moves = kind == QMouseEvent.Type.MouseMove
        event = QMouseEvent(
            kind,
            point,
            self.native.mapToGlobal(point),
            Qt.MouseButton.NoButton if moves else left,
            left if pressed else Qt.MouseButton.NoButton,
            modifiers,
        )
        QApplication.sendEvent(self.native, event)
        settle(at_least_s=0.03)

    def drag(self, points, end_with=Qt.KeyboardModifier.NoModifier):
        """Press at the first point, go over the others, and let go."""
        none = Qt.KeyboardModifier.NoModifier
        kinds = QMouseEvent.Type
        places = [self.at(*point) for point in points]
        self._send(kinds.MouseMove, places[0], False, none)
        self._send(kinds.MouseButtonPress, places[0], True, none)
        for place in places[1:]:
            self._send(kinds.MouseMove, place, True, end_with)
        self._send(kinds.MouseButtonRelease, places[-1], False, end_with)
        settle()


def along(start, end, count=12):
    return [tuple(p) for p in np.linspace(start, end, count)]
