"""Buttons, rows and texts as the docks show them."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QWidget,
)
from superqt import QCollapsible

from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.volume import Volume


class _WheelGuard(QObject):
    """Lets the wheel scroll the dock over a box that does not have the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Ignore the wheel there; Qt's name."""
        is_aside = isinstance(watched, QWidget) and not watched.hasFocus()
        if event.type() == QEvent.Type.Wheel and is_aside:
            event.ignore()
            return True
        return False


#: For ``installEventFilter`` of a combo box or a spin box.
WHEEL_GUARD = _WheelGuard()


def push_button(words: str, tip: str, *, checkable: bool = False) -> QPushButton:
    """Return a button with its tooltip."""
    button = QPushButton(words)
    button.setToolTip(tip)
    button.setCheckable(checkable)
    return button


def beside(*widgets: QWidget, stretch: Sequence[int] = ()) -> QWidget:
    """Return widgets beside each other; ``stretch`` is that of the first ones."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget, factor in zip_longest(widgets, stretch, fillvalue=0):
        layout.addWidget(widget, factor)
    return row


def scrolled(inside: QWidget) -> QScrollArea:
    """Return ``inside`` in an area that scrolls up and down only."""
    area = QScrollArea()
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the Tab key stops at its controls
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area


def fold(title: str, inside: QWidget) -> QCollapsible:
    """Return a section that opens under its title; closed, the Tab key passes it by."""
    section = QCollapsible(title)
    section.layout().setContentsMargins(0, 0, 0, 0)
    section.addWidget(inside)
    section.collapse(animate=False)
    inside.setEnabled(False)
    section.toggled.connect(inside.setEnabled)
    return section


def pages() -> QTabWidget:
    """Return an empty row of tabs, close together: five of them fit a narrow dock."""
    tabs = QTabWidget()
    tabs.tabBar().setStyleSheet("QTabBar::tab { padding: 3px }")
    tabs.tabBar().setAccessibleName(tr("Pages of this dock"))
    return tabs


def swatch(color: str) -> QIcon:
    """Return a square of one colour, for a button or a legend."""
    picture = QPixmap(14, 14)
    picture.fill(QColor(color[:7]))
    return QIcon(picture)


def text(content: str = "") -> QLabel:
    """Return a label that wraps and can be copied from."""
    label = QLabel(content)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    # A wrapped text must not widen the dock.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def number(value: float, digits: int = 2) -> str:
    """Return a number as text, a dash where it has no meaning."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def length_unit(grid: Volume) -> str:
    """Return the unit in which distances on ``grid`` are."""
    return "mm" if grid.has_geometry else "px"
