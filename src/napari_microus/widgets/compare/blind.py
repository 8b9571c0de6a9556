"""Work without knowing who the expert is, or without seeing the other's mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_microus.core.compare.naming import Naming, blind_naming
from napari_microus.widgets._shared.layers import METADATA_KEY, ROLE

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

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
        The mask that stays hidden until `submit`, with all that was made from it.
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
        self._nameless = [_Nameless(layer) for layer, _ in self._before]
        self._anonymous: list[_AnonymousLayer] = []
        pair.expert.name = self.naming.expert
        pair.nonexpert.name = self.naming.nonexpert
        if self.naming.is_swapped != self._lies_swapped():
            self._exchange()
        if hide is not None:
            derived = [layer for layer in viewer.layers if _is_made_here(layer)]
            self._anonymous = [_AnonymousLayer(layer) for layer in (hide, *derived)]
            viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.status = ""  # it may name a layer as it was called

    def submit(self) -> None:
        """Show the hidden mask; names and colours stay made up."""
        if self.hidden is None:
            return
        self.hidden = None
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        for veil in self._anonymous:
            veil.lift()
        self._anonymous = []

    def end(self) -> None:
        """Give the layers their names and places back."""
        self.submit()
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        if self._lies_swapped() != self._lay_swapped():
            self._exchange()
        for nameless in self._nameless:
            nameless.end()
        for layer, name in self._before:
            layer.name = name
        self.ended.emit()

    def _on_inserted(self, event: Any) -> None:
        if _is_made_here(event.value):
            self._anonymous.append(_AnonymousLayer(event.value))

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


class _Nameless:
    """A layer whose tooltip and status give its made-up name, and no file's."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        # napari has no public way to say where a layer came from.
        layer._get_source_info = self._info

    def end(self) -> None:
        """Let the layer show its file again."""
        vars(self._layer).pop("_get_source_info", None)

    def _info(self) -> dict[str, str]:
        name = self._layer.name
        return {
            "layer_name": name,
            "layer_base": name,
            "source_type": "",
            "plugin": "",
        }


class _AnonymousLayer:
    """A layer that cannot be looked at: neither picture, thumbnail nor values."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._was_visible = layer.visible
        self._is_blanking = False
        self._status = layer.get_status
        layer.get_status = self._no_value
        layer.visible = False
        layer.events.visible.connect(self._keep_hidden)
        layer.events.thumbnail.connect(self._keep_blank)
        self._keep_blank()

    def lift(self) -> None:
        """Show the layer as it was."""
        layer = self._layer
        layer.events.visible.disconnect(self._keep_hidden)
        layer.events.thumbnail.disconnect(self._keep_blank)
        vars(layer).pop("get_status", None)
        layer.visible = self._was_visible
        layer.refresh()

    def _keep_hidden(self, event: Any) -> None:
        if self._layer.visible:
            self._layer.visible = False

    def _keep_blank(self, event: Any = None) -> None:
        if not self._is_blanking:  # setting it reports a new thumbnail again
            self._is_blanking = True
            self._layer.thumbnail = np.zeros_like(self._layer.thumbnail)
            self._is_blanking = False

    def _no_value(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        status = dict(self._status(*args, **kwargs))
        status.update(coordinates="", value="")
        return status


def _is_made_here(layer: Layer) -> bool:
    """Return whether a comparison made the layer."""
    own = layer.metadata.get(METADATA_KEY, {})
    return ROLE in own and own[ROLE] != "preview"


def _comes_after(layers: list[Any], pair: Pair) -> bool:
    if pair.expert not in layers or pair.nonexpert not in layers:
        return False
    return layers.index(pair.expert) > layers.index(pair.nonexpert)
