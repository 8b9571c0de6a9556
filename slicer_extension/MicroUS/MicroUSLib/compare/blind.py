"""Hide what would reveal who drew what, until it is revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MicroUSLib.scene.nodes import is_in_scene

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import SimpleNamespace

    import slicer

_TELLING = (
    *("expertSelector", "expertPartComboBox", "loadExpertButton"),
    *("nonexpertSelector", "nonexpertPartComboBox", "loadNonexpertButton"),
    "annotatorList",
)


class BlindDisplay:
    """Hides the selectors and the annotations themselves while one works blind.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self._hidden: list[slicer.vtkMRMLDisplayableNode] = []

    def hide(self, annotations: Iterable[slicer.vtkMRMLDisplayableNode]) -> None:
        """Hide the selectors, and the annotations that are shown."""
        self._show_selectors(False)
        for node in annotations:
            if is_in_scene(node) and node.GetDisplayVisibility():
                node.SetDisplayVisibility(False)
                self._hidden.append(node)

    def reveal(self) -> None:
        """Show again what was hidden."""
        self._show_selectors(True)
        for node in self._hidden:
            if is_in_scene(node):
                node.SetDisplayVisibility(True)
        self._hidden = []

    def _show_selectors(self, is_shown: bool) -> None:
        for name in _TELLING:
            getattr(self._ui, name).visible = is_shown
