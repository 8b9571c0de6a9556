"""Ask before a window closes over capsules whose edits nobody has saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari.layers import Labels
from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.drawn import has_unsaved_edits
from napari_microus.widgets._shared.saving import ask_path, save
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.components import ViewerModel
    from napari.layers import Layer
    from qtpy.QtWidgets import QWidget

Answer = Literal["save", "discard", "back"]


def guard_closing(widget: QWidget, viewer: ViewerModel) -> None:
    """Guard the window that a dock is in; asking again changes nothing."""
    window = widget.window()
    if isinstance(window, QMainWindow) and not window.findChild(ClosingGuard):
        ClosingGuard(window, viewer)


def unsaved_capsules(layers: Iterable[Layer]) -> list[Labels]:
    """Return the layers that a person changed since they were last saved."""
    return [
        layer
        for layer in layers
        if isinstance(layer, Labels) and has_unsaved_edits(layer)
    ]


def ask_what_to_do(window: QWidget, layers: list[Labels]) -> Answer:
    """Ask whether unsaved layers are to be saved before the window closes."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle(tr("Unsaved edits"))
    names = ", ".join(f"'{layer.name}'" for layer in layers)
    box.setText(tr("Your edits of {names} are not saved.").format(names=names))
    buttons = QMessageBox.StandardButton
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    for standard, words in (
        (buttons.Save, tr("Save…")),
        (buttons.Discard, tr("Close without saving")),
        (buttons.Cancel, tr("Go back")),
    ):
        button = box.button(standard)
        assert button is not None
        button.setText(words)
    box.setDefaultButton(buttons.Save)
    answers: dict[int, Answer] = {buttons.Save: "save", buttons.Discard: "discard"}
    return answers.get(QMessageBox.StandardButton(box.exec()), "back")


class ClosingGuard(QObject):
    """Stands between a window and its closing; a child of the window.

    Parameters
    ----------
    window : QMainWindow
        napari's window.
    viewer : ViewerModel
        Whose layers are looked at.
    """

    def __init__(self, window: QMainWindow, viewer: ViewerModel) -> None:
        super().__init__(window)
        self._viewer = viewer
        self.ask: Callable[[QWidget, list[Labels]], Answer] = ask_what_to_do
        self.ask_path: Callable[[Labels], str] = ask_path
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the window open where the user goes back; Qt's name."""
        if event.type() != QEvent.Type.Close or watched is not self.parent():
            return False
        if self.may_close():
            return False
        event.ignore()
        return True

    def may_close(self) -> bool:
        """Ask if there is something to lose, save what is to be saved."""
        layers = unsaved_capsules(self._viewer.layers)
        if not layers:
            return True
        window = self.parent()
        assert isinstance(window, QMainWindow)
        answer = self.ask(window, layers)
        if answer != "save":
            return answer == "discard"
        return all(self._save(layer) for layer in layers)

    def _save(self, layer: Labels) -> bool:
        path = self.ask_path(layer)
        if not path:
            return False
        try:
            save(layer, path)
        except MicroUSError as error:
            show_error(plain_words(error))
            return False
        return True
