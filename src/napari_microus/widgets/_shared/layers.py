"""Carry data and geometry between napari layers and core types.

A layer read from a file lies at napari's origin with the voxel size as its scale;
where that world lies in the patient is the affine kept in its metadata. A layer
that was moved, turned or rescaled since is written where it lies now: the way from
napari's world to the patient stays the one of the file it came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core import colors
from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.preferences import preferred_color

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Labels, Layer
    from numpy.typing import NDArray

METADATA_KEY = "napari_microus"
#: Key in a layer's metadata that names what a comparison made it for.
ROLE = "comparison"

# napari computes the outline again at every change of frame: at 962 x 1372 pixels
# that takes half as long again for 3 as for 2.
_CONTOUR = 2

# What a volume's metadata state about its sizes.
_TOLD = ("frame_distance", "sweep", "pixel_size_from")

_GEOMETRY = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")

# Axes of napari's world (z, y, x) to those of an affine (x, y, z), and back.
_REVERSE = np.eye(4)[[2, 1, 0, 3]]


def is_annotation(layer: Layer) -> bool:
    """Return whether somebody or a model drew a layer: it is no map of a comparison."""
    return ROLE not in layer.metadata.get(METADATA_KEY, {})


def geometry(layer: Layer) -> dict[str, Any]:
    """Return the keyword arguments that place a new layer exactly over ``layer``."""
    return {name: getattr(layer, name) for name in _GEOMETRY}


def layer_arguments(volume: Volume, **metadata: Any) -> dict[str, Any]:
    """Return the keyword arguments that show ``volume`` as a napari layer.

    Parameters
    ----------
    volume : Volume
        Scan or mask.
    **metadata
        More entries of ``metadata["napari_microus"]``, such as ``provenance``.

    Returns
    -------
    dict
        ``scale`` (mm, or pixels where the file stated no size), ``units``,
        ``axis_labels`` and ``metadata``.
    """
    unit = "mm" if volume.has_geometry else "pixel"
    return {
        "scale": volume.spacing_mm,
        "units": (unit,) * 3,
        "axis_labels": ("z", "y", "x"),
        "metadata": {METADATA_KEY: {**_origin(volume), **metadata}},
    }


def tint(color: str) -> dict[str, Any]:
    """Return the keyword arguments that show a mask in ``color`` over its scan.

    Value 255 (undecided) is grey.
    """
    colormap = {
        0: "transparent",
        1: preferred_color(color),
        255: colors.IGNORED,
        None: colors.HARD_REGION,
    }
    return {"colormap": colormap, "opacity": 0.45}


def show_as_outline(layer: Labels) -> None:
    """Show a mask as a line, where the tint of `tint` would be a veil."""
    layer.opacity = 0.9
    layer.contour = _CONTOUR


def derived_metadata(source: Layer, **metadata: Any) -> dict[str, Any]:
    """Return the ``metadata`` of a new layer that lies on the grid of ``source``.

    It carries what the writer needs to save the new layer in the geometry of the
    file ``source`` was read from, and the entries of ``**metadata``.
    """
    own = source.metadata.get(METADATA_KEY, {})
    names = (
        *("affine", "has_geometry", "source", "place", "is_oriented"),
        *_TOLD,
    )
    kept = {key: own[key] for key in names if key in own}
    return {METADATA_KEY: {**kept, **metadata}}


def is_derived(layer: Layer) -> bool:
    """Return whether a layer shows something computed, and is no scan itself."""
    own = layer.metadata.get(METADATA_KEY, {})
    return isinstance(own, dict) and not own.keys().isdisjoint(("map", "comparison"))


def array_for_layer(array: NDArray[Any], layer: Layer) -> NDArray[Any]:
    """Return a (Z, Y, X) array in the number of dimensions that ``layer`` has."""
    if layer.ndim == 2:
        return array[0]
    return array.reshape((1,) * (layer.ndim - 3) + array.shape)


def volume_from_layer(layer: Layer) -> Volume:
    """Return the scan or mask in a layer, placed where the layer lies.

    See `volume_from_layer_data`.
    """
    attributes = {name: getattr(layer, name) for name in (*_GEOMETRY, "metadata")}
    attributes["rgb"] = getattr(layer, "rgb", False)
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return volume_from_layer_data(data, attributes)


def grid_of_layer(layer: Layer) -> Volume:
    """Return where the voxels of a layer lie; the values are all 0."""
    attributes = {name: getattr(layer, name) for name in (*_GEOMETRY, "metadata")}
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    shape = data.shape[: layer.ndim]
    return volume_from_layer_data(np.broadcast_to(np.uint8(0), shape), attributes)


def volume_from_layer_data(data: Any, attributes: Mapping[str, Any]) -> Volume:
    """Return the scan or mask in napari's layer data, placed where it lies.

    Parameters
    ----------
    data : array-like, shape ([1,] [Z,] Y, X [, 3 or 4])
        A single frame becomes (1, Y, X); colour (``attributes["rgb"]``) becomes
        grey.
    attributes : mapping
        The layer's attributes, of which the geometry and ``metadata`` are read.
        Lengths in any unit become mm; where the units are pixels the volume has
        no geometry.

    Raises
    ------
    InputError
        If the layer has one dimension, or more than three that are not single.
    """
    array = np.asarray(data)
    notices: list[str] = []
    if attributes.get("rgb"):
        from napari_microus.core.io.colour import to_grey

        array, notices = to_grey(array)
    to_world, has_geometry = _index_to_world(array.ndim, attributes)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim != 3:
        raise InputError(
            "A layer must show frames of rows and columns; got "
            f"{array.ndim} dimensions with shape {array.shape}. "
            "Choose a layer of one scan.",
            plain=(
                f"This layer is no scan: it has {array.ndim} dimensions. "
                "Choose a layer of one scan."
            ),
        )
    own = attributes.get("metadata", {}).get(METADATA_KEY, {})
    volume = Volume(
        array,
        _affine_now(to_world, own.get("affine")),
        has_geometry,
        {k: own[k] for k in ("source", *_TOLD) if k in own},
        own.get("place"),
        bool(own.get("is_oriented")),
    )
    volume.metadata.update({"notices": notices} if notices else {})
    return volume


def _origin(volume: Volume) -> dict[str, Any]:
    origin: dict[str, Any] = {
        "affine": volume.affine.tolist(),
        "has_geometry": volume.has_geometry,
        "source": str(volume.metadata.get("source", "")),
    }
    if volume.is_oriented:
        origin["is_oriented"] = True
    if volume.place is not None:
        origin["place"] = dict(volume.place)
    for name in _TOLD:
        if name in volume.metadata:
            origin[name] = volume.metadata[name]
    return origin


def _affine_now(to_world: NDArray[np.float64], read: Any) -> NDArray[np.float64]:
    """Return voxel (x, y, z) to RAS mm for an index (z, y, x) to world matrix."""
    if read is None:
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ _REVERSE @ to_world @ _REVERSE
    affine = np.array(read, dtype=np.float64)
    as_read = np.diag([*Volume(np.zeros((1, 1, 1)), affine).spacing_mm, 1.0])
    if _is_same(to_world, as_read):
        return affine
    since = np.linalg.inv(as_read) @ to_world
    return affine @ _REVERSE @ since @ _REVERSE


def _is_same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    # A transform that napari took apart and put together differs in the last bits.
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-9))


def _index_to_world(
    ndim: int, attributes: Mapping[str, Any]
) -> tuple[NDArray[np.float64], bool]:
    """Return the matrix (z, y, x) index to world, and whether it is in mm."""
    from napari.utils.transforms import Affine, CompositeAffine

    identity = {"scale": np.ones(ndim), "translate": np.zeros(ndim)}
    names = ("scale", "translate", "rotate", "shear")
    given = {name: attributes.get(name) for name in names}
    physical = CompositeAffine(
        ndim=ndim,
        **identity
        | {name: np.asarray(v) for name, v in given.items() if v is not None},
    ).affine_matrix
    affine = attributes.get("affine")
    if affine is not None:
        matrix = affine.affine_matrix if isinstance(affine, Affine) else affine
        physical = np.asarray(matrix, dtype=np.float64) @ physical
    spatial = min(ndim, 3)
    to_world = np.eye(4)
    axes = slice(3 - spatial, 3)
    last = slice(ndim - spatial, ndim)
    to_world[axes, axes] = physical[last, last]
    to_world[axes, 3] = physical[last, -1]
    factors = _millimetres(attributes.get("units"), spatial)
    if factors is None:
        return to_world, False
    to_world[axes] *= np.array(factors)[:, np.newaxis]
    return to_world, True


def _millimetres(units: Any, spatial: int) -> list[float] | None:
    """Return mm per unit of the last axes, or None where they are not lengths."""
    import pint

    if units is None:
        return None
    if isinstance(units, str):
        units = (units,) * spatial
    registry: Any = pint.application_registry
    try:
        return [
            float(registry.Quantity(1, unit).to("mm").magnitude)
            for unit in tuple(units)[-spatial:]
        ]
    except pint.DimensionalityError:
        return None
