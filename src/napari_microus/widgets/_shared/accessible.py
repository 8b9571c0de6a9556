"""Names for screen readers, and words for the folds, of every control of a dock."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from superqt import QCollapsible

from napari_microus.widgets._shared.words import tr

_CONTROLS = (
    *(QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit),
    *(QAbstractItemView, QAbstractSlider),
)


def describe_controls(dock: QWidget) -> None:
    """Give every control a name that a screen reader can say.

    That is its own words, the label beside it, or how its tooltip begins. The heading
    of a fold gets a tooltip, too, and can be reached by the keyboard.
    """
    for fold in dock.findChildren(QCollapsible):
        button = fold.toggleButton()
        if not button.toolTip():
            words = tr("Show or hide: {title}.").format(title=fold.text())
            button.setToolTip(words)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    labels = {
        label.buddy(): label.text().strip(" :")
        for label in dock.findChildren(QLabel)
        if label.buddy() is not None
    }
    for control in dock.findChildren(QWidget):
        if not isinstance(control, _CONTROLS) or isinstance(control, QScrollBar):
            continue
        has_words = isinstance(control, QAbstractButton) and control.text()
        if control.accessibleName() or has_words:
            continue
        name = labels.get(control) or _beginning(control.toolTip())
        if name:
            control.setAccessibleName(name)


def _beginning(tip: str) -> str:
    """Return the first clause of a tooltip, without markup."""
    plain = re.sub(r"<[^>]*>", "", tip)
    return re.split(r"[.:;](?:\s|$)", plain, maxsplit=1)[0].strip()
