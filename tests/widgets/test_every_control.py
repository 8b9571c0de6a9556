"""Every control of every dock: a tooltip, a name for screen readers, the keyboard."""

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QWidget,
)

from napari_microus.widgets._shared.focus_ring import FocusRing
from napari_microus.widgets.batch import BatchWidget
from napari_microus.widgets.compare import CompareWidget
from napari_microus.widgets.correct import CorrectWidget
from napari_microus.widgets.live import LiveWidget
from napari_microus.widgets.segment import SegmentWidget
from napari_microus.widgets.train import TrainWidget
from napari_microus.widgets.welcome import WelcomeWidget

DOCKS = (
    *(WelcomeWidget, SegmentWidget, CorrectWidget),
    *(CompareWidget, TrainWidget, BatchWidget, LiveWidget),
)
CONTROLS = (
    *(QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit),
    *(QAbstractItemView, QAbstractSlider),
)


@pytest.fixture(params=DOCKS, ids=lambda dock: dock.__name__)
def dock(request, qtbot, tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    widget = request.param(ViewerModel())
    qtbot.addWidget(widget)
    return widget


def controls(dock):
    """Return what a person can operate; the parts that Qt builds others of left out."""
    found = []
    for widget in dock.findChildren(QWidget):
        inside = widget.parentWidget()
        is_part = isinstance(widget, (QScrollBar, QHeaderView)) or (
            isinstance(
                inside,
                (QComboBox, QAbstractSpinBox, QTabBar, QAbstractItemView, QLineEdit),
            )
        )
        is_popup = any(isinstance(up, QComboBox) for up in ancestors(widget))
        if isinstance(widget, CONTROLS) and not is_part and not is_popup:
            found.append(widget)
    return found


def ancestors(widget):
    while (widget := widget.parentWidget()) is not None:
        yield widget


def called(widget):
    kind = type(widget).__name__
    is_worded = isinstance(widget, (QAbstractButton, QLineEdit, QAbstractSpinBox))
    words = widget.text() if is_worded else ""
    above = [type(up).__name__ for up in ancestors(widget)][:3]
    return f"{kind} {words!r} in {' < '.join(above)}"


def test_every_control_states_what_it_does(dock):
    silent = [called(one) for one in controls(dock) if not one.toolTip()]
    assert not silent, "\n".join(silent)


def buddies(dock):
    return {
        label.buddy(): label.text()
        for label in dock.findChildren(QLabel)
        if label.buddy() is not None
    }


def test_every_control_has_a_name_for_a_screen_reader(dock):
    labelled = buddies(dock)
    nameless = [
        called(one)
        for one in controls(dock)
        if not (
            one.accessibleName()
            or labelled.get(one)
            or (isinstance(one, QAbstractButton) and one.text())
        )
    ]
    assert not nameless, "\n".join(nameless)


def test_every_control_can_be_reached_by_the_keyboard(dock):
    unreachable = [
        called(one)
        for one in controls(dock)
        if not one.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]
    assert not unreachable, "\n".join(unreachable)


def test_the_control_that_the_keyboard_is_on_has_a_ring(dock, qtbot):
    """napari's themes show no focus of their own."""
    dock.resize(420, 1200)
    dock.show()
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    first = next(one for one in controls(dock) if can_take_keys(one))
    first.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(5):
        control = QApplication.focusWidget()
        (ring,) = rings(dock)
        assert ring.parent() is control
        assert ring.geometry() == control.rect()
        picture = ring.grab().toImage()
        assert picture.pixelColor(1, 1) == ring.palette().windowText().color()
        control.resize(control.width() + 3, control.height())
        assert ring.width() == control.width()
        qtbot.keyClick(control, Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is not control
        assert not ring.isVisible()


def can_take_keys(control):
    can_stop = control.focusPolicy() & Qt.FocusPolicy.TabFocus
    return can_stop and control.isVisible() and control.isEnabled()


def rings(dock):
    return [ring for ring in dock.findChildren(FocusRing) if ring.isVisible()]


def test_a_click_draws_no_ring(qtbot, monkeypatch):
    dock = BatchWidget(ViewerModel())
    qtbot.addWidget(dock)
    dock.show()
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    pressed = staticmethod(lambda: Qt.MouseButton.LeftButton)
    monkeypatch.setattr(QApplication, "mouseButtons", pressed)
    dock.form.scans_edit.setFocus(Qt.FocusReason.MouseFocusReason)
    assert dock.form.scans_edit.hasFocus()
    assert rings(dock) == []


def test_the_tab_key_goes_through_the_dock_from_top_to_bottom(dock, qtbot):
    """Each stop shows where the keyboard is, and lies below or beside the last."""
    dock.resize(420, 2400)
    dock.show()
    qtbot.waitExposed(dock)
    order, widget = [], dock
    while (widget := widget.nextInFocusChain()) is not dock:
        hands_on = widget.focusProxy() is not None
        if can_take_keys(widget) and dock.isAncestorOf(widget) and not hands_on:
            order.append(widget)
    others = [one for one in order if not isinstance(one, CONTROLS)]
    assert all(isinstance(one, QTabBar) and one.accessibleName() for one in others)
    unseen = [called(one) for one in order if one.visibleRegion().isEmpty()]
    assert not unseen, unseen  # as in a fold that is closed
    assert len(order) >= 3
    tops = [one.mapTo(dock, one.rect().center()).y() for one in order]
    jumps = [
        (called(above), called(below))
        for above, below, a, b in zip(order, order[1:], tops, tops[1:], strict=False)
        if b < a - 30  # a row's controls are not all equally high
    ]
    assert not jumps, jumps
