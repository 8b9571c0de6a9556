"""Remember over which scan a Labels layer was made.

napari's *New labels* button copies no metadata, and two scans often lie at one place
of napari's world though they lie apart in their patients. The scan that was selected
when the layer came is the one it was made over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    derived_metadata,
    show_as_outline,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Layer

# A list of layers has no hash, so the lists are known by what they are.
_watched: list[ref[Any]] = []


def remember_scans(viewer: Any) -> None:
    """Give every Labels layer that comes from now on the place of its scan.

    ``viewer`` is a napari viewer or its model; asking again changes nothing.
    """
    layers = viewer.layers
    _watched[:] = [known for known in _watched if known() is not None]
    if not any(known() is layers for known in _watched):
        _watched.append(ref(layers))
        _Belonging(layers)


class _Belonging:
    """Follows the selection, and marks what is added while a scan is selected."""

    def __init__(self, layers: Any) -> None:
        self._scan: Layer | None = None
        self._layers = ref(layers)
        self._look(layers.selection.active)
        # napari holds functions strongly: they keep this alive with the layers.
        layers.selection.events.active.connect(lambda event: self._look(event.value))
        layers.events.inserted.connect(lambda event: self._mark(event.value))

    def _look(self, layer: Layer | None) -> None:
        if layer is not None and is_scan(layer):
            self._scan = layer

    def _mark(self, layer: Layer) -> None:
        from napari.layers import Labels

        layers, own = self._layers(), METADATA_KEY in layer.metadata
        if isinstance(layer, Labels) and _is_capsule_of_a_file(layer):
            show_as_outline(layer)  # as it was before it was saved
        if not isinstance(layer, Labels) or own or self._scan not in (layers or ()):
            return
        if self._scan is not None and lies_over(layer, self._scan):
            layer.metadata.update(derived_metadata(self._scan))


def _is_capsule_of_a_file(layer: Layer) -> bool:
    """Return whether a model drew what a file held, and it is shown filled."""
    own = layer.metadata.get(METADATA_KEY, {})
    made = own.get("provenance") if isinstance(own, dict) else None
    is_ours = isinstance(made, dict) and made.get("task") == "segment"
    return is_ours and (layer.source.path is not None or "source" in own)


def is_scan(layer: Layer) -> bool:
    """Return whether a layer is an image whose place in the patient is known."""
    from napari.layers import Image

    own = layer.metadata.get(METADATA_KEY, {})
    return isinstance(layer, Image) and "affine" in own


def was_drawn_on(layer: Layer, scan: Layer, layers: Iterable[Layer]) -> bool:
    """Return whether a capsule states that it was drawn on this scan.

    In a session that is by the scan's identity; a capsule that was saved and opened
    again finds a scan by its name and place, unless its own scan is still among
    ``layers``.
    """
    own = layer.metadata.get(METADATA_KEY, {})
    made = own.get("provenance") if isinstance(own, dict) else None
    if not isinstance(made, dict) or made.get("task") != "segment":
        return False
    named = made.get("image_id")
    if named == str(scan.unique_id):
        return True
    is_here = any(str(other.unique_id) == named for other in layers)
    return not is_here and made.get("image") == scan.name and lies_over(layer, scan)


def lies_over(layer: Layer, scan: Layer) -> bool:
    """Return whether two layers share shape, place and scale in napari's world."""
    import numpy as np

    if layer.ndim != scan.ndim or layer.data.shape != scan.data.shape[: scan.ndim]:
        return False
    return all(
        np.allclose(getattr(layer, name), getattr(scan, name))
        for name in ("scale", "translate")
    )
