"""Give a scan in the viewer, and all that lies over it, the size a person states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.blanking import blanked
from napari_microus.core.io.scan_properties import with_properties
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Layer

    from napari_microus.core.io import ScanProperties

_SAID = ("frame_distance", "sweep", "pixel_size_from")
_TOLD = ("affine", "has_geometry", "is_oriented", "place", *_SAID)


def resize_scan(
    viewer: ViewerModel, image: Image, properties: ScanProperties
) -> list[Layer]:
    """Take over what a person states about a scan, for every layer on its grid.

    Parameters
    ----------
    viewer : ViewerModel
        Keeps showing the same frame.
    image : Image
        The scan.
    properties : ScanProperties
        What is stated; the scan's own word holds where they are silent.

    Returns
    -------
    list of Layer
        The layers that lie over the scan and took its new size.

    Raises
    ------
    InputError
        If a layer over the scan is turned or sheared, or a sweep has not an angle for
        each frame. Nothing is changed then.
    """
    before = as_read(image)
    stated = with_properties(before, properties)
    if properties.blank:
        data = blanked(image.data, properties.blank, is_colour=image.rgb)
    layers = [layer for layer in viewer.layers if _lies_on(layer, image)]
    for layer in layers:
        _check_straight(layer)
    factor = np.array(stated.spacing_mm) / np.array(before.spacing_mm)
    step = viewer.dims.current_step
    unit = "mm" if stated.has_geometry else "pixel"
    origin = _origin(stated)
    for layer in layers:
        kept = factor[-layer.ndim :]
        if layer.ndim > 3:
            kept = np.concatenate([np.ones(layer.ndim - 3), factor])
        scale, translate = np.array(layer.scale), np.array(layer.translate)
        layer.units = (unit,) * layer.ndim
        layer.scale, layer.translate = scale * kept, translate * kept
        own = dict(layer.metadata.get(METADATA_KEY, {}))
        for name in _TOLD:
            own.pop(name, None)
        layer.metadata[METADATA_KEY] = own | origin
    if properties.blank:
        image.data = data
    viewer.dims.current_step = step
    if factor.tolist() != [1, 1, 1]:
        viewer.reset_view()
    return layers


def as_read(image: Image) -> Volume:
    """Return a scan's grid as its file and its properties gave it, without values."""
    own = image.metadata.get(METADATA_KEY, {})
    shape = (1, 1, 1, *image.data.shape[: image.ndim])[-3:]
    stated = {key: own[key] for key in _SAID if key in own}
    empty = np.broadcast_to(np.uint8(0), shape)
    if "affine" not in own:
        from napari_microus.widgets._shared.layers import grid_of_layer

        return grid_of_layer(image)
    return Volume(
        empty,
        np.array(own["affine"], dtype=np.float64),
        bool(own.get("has_geometry", True)),
        stated,
        own.get("place"),
        bool(own.get("is_oriented")),
    )


def _origin(stated: Volume) -> dict[str, Any]:
    origin: dict[str, Any] = {
        "affine": stated.affine.tolist(),
        "has_geometry": stated.has_geometry,
    }
    if stated.is_oriented:
        origin["is_oriented"] = True
    if stated.place is not None:
        origin["place"] = dict(stated.place)
    for name in _SAID:
        if name in stated.metadata:
            origin[name] = stated.metadata[name]
    return origin


def _lies_on(layer: Layer, image: Image) -> bool:
    """Return whether a layer lies on the grid of a scan, or was drawn over it."""
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    if layer.ndim != image.ndim or tuple(layer.units) != tuple(image.units):
        return False
    if not np.allclose(layer.scale, image.scale):
        return False
    if isinstance(layer, (ImageLayer, Labels)):
        shape = layer.data.shape[: layer.ndim]
        same = shape == image.data.shape[: image.ndim]
        return same and np.allclose(layer.translate, image.translate)
    return True


def _check_straight(layer: Layer) -> None:
    is_turned = not np.allclose(layer.rotate, np.eye(layer.ndim))
    is_sheared = bool(np.any(layer.shear))
    is_moved = not np.allclose(layer.affine.affine_matrix, np.eye(layer.ndim + 1))
    if is_turned or is_sheared or is_moved:
        raise InputError(
            "A scan must lie straight to be given a size; got "
            f"'{layer.name}' turned, sheared or under a transform. Undo that first.",
            plain=(
                f"'{layer.name}' is turned or sheared, so that it cannot be "
                "given a size. Undo that first."
            ),
        )
