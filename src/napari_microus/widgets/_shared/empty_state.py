"""What a dock shows while there is nothing to work on: what to do, and a button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFrame, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_microus.widgets._shared.controls import push_button, text

if TYPE_CHECKING:
    from collections.abc import Callable


class EmptyState(QFrame):
    """A sentence on what is missing, and buttons that bring it.

    Attributes
    ----------
    words : QLabel
        The sentence.
    buttons : list of QPushButton
        In the order in which they were added.
    """

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = text(words)
        self.buttons: list[QPushButton] = []
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.words)

    def add(self, label: str, tip: str, do: Callable[[], object]) -> QPushButton:
        """Add a button; ``do`` is a bound method of who shows this."""
        button = push_button(label, tip)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: do())
        self._column.addWidget(button)
        self.buttons.append(button)
        return button
