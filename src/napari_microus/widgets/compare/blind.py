"""Work without knowing who the expert is, or without seeing the other's mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_microus.core.compare.naming import Naming, blind_naming

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_microus.widgets.compare.pair import Pair


class BlindMode(QObject):
    """Two masks under made-up names and colours, one of them perhaps hidden.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are renamed; their order is shuffled too.
    pair : Pair
        The two masks.
    hide : Labels, optional
        The mask that stays hidden until `submit`.
    naming : Naming, optional
        Names and colours of an earlier session; None draws new ones.
    """

    ended = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        pair: Pair,
        *,
        hide: Labels | None = None,
        naming: Naming | None = None,
    ) -> None:
        super().__init__()
        self.naming = naming or blind_naming()
        self._viewer = viewer
        self._pair = pair
        self.hidden = hide
        self._order = list(viewer.layers)
        self._before = [(layer, layer.name) for layer in (pair.expert, pair.nonexpert)]
        pair.expert.name = self.naming.expert
        pair.nonexpert.name = self.naming.nonexpert
        if self.naming.is_swapped != self._lies_swapped():
            self._exchange()
        if hide is not None:
            self._was_visible = hide.visible
            hide.visible = False
            hide.events.visible.connect(self._keep_hidden)
        viewer.layers.events.removed.connect(self._on_removed)
        self.names = tuple(name for _, name in self._before)

    def submit(self) -> None:
        """Show the hidden mask; names and colours stay made up."""
        if self.hidden is None:
            return
        layer, self.hidden = self.hidden, None
        layer.events.visible.disconnect(self._keep_hidden)
        layer.visible = self._was_visible

    def end(self) -> None:
        """Give the layers their names and places back."""
        self.submit()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._lies_swapped() != self._lay_swapped():
            self._exchange()
        for layer, name in self._before:
            layer.name = name
        self.ended.emit()

    def _keep_hidden(self, event: Any) -> None:
        if self.hidden is not None and self.hidden.visible:
            self.hidden.visible = False

    def _on_removed(self, event: Any) -> None:
        if event.value in (self._pair.expert, self._pair.nonexpert):
            self.end()

    def _lies_swapped(self) -> bool:
        return _comes_after(list(self._viewer.layers), self._pair)

    def _lay_swapped(self) -> bool:
        return _comes_after(self._order, self._pair)

    def _exchange(self) -> None:
        layers = self._viewer.layers
        if self._pair.expert not in layers or self._pair.nonexpert not in layers:
            return
        first, second = sorted(
            (layers.index(self._pair.expert), layers.index(self._pair.nonexpert))
        )
        layers.move(second, first)
        layers.move(first + 1, second + 1)


def _comes_after(layers: list[Any], pair: Pair) -> bool:
    if pair.expert not in layers or pair.nonexpert not in layers:
        return False
    return layers.index(pair.expert) > layers.index(pair.nonexpert)
