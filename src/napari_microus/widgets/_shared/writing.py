"""napari's writers: layers go to medical formats in the geometry they lie in.

A file of the very name that was given is replaced: napari's dialog has asked, or a
script said so. Where the name lacks an ending the dialog asked about another file,
so ``.nii.gz`` is appended and a file that is there is an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.io import WRITABLE, write_mask, write_volume
from napari_microus.widgets._shared.drawn import note_saved, provenance_now
from napari_microus.widgets._shared.layers import METADATA_KEY, volume_from_layer_data

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a Labels layer as a mask, and its provenance beside it.

    Values from 0 to 255 are stored as uint8 (255 stays undecided), larger ones as
    they are.

    Returns
    -------
    list of str
        The path written.

    Raises
    ------
    MicroUSError
        If the layer is no mask of a scan or the file cannot be written.
    """
    volume = _volume(data, attributes)
    own = attributes.get("metadata", {}).get(METADATA_KEY, {})
    is_mask = volume.array.max() <= np.iinfo(np.uint8).max
    write = write_mask if is_mask else write_volume
    path, overwrite = _destination(path)
    made = provenance_now(volume.array, {METADATA_KEY: own})
    write(volume, path, overwrite, provenance=made)
    note_saved(volume.array, {METADATA_KEY: own})
    return [path]


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an Image layer as a scan; colour becomes grey with a notice.

    Returns and raises as `write_labels`.
    """
    volume = _volume(data, attributes)
    for notice in volume.metadata.get("notices", ()):
        from napari.utils.notifications import show_warning

        show_warning(notice)
    path, overwrite = _destination(path)
    write_volume(volume, path, overwrite)
    return [path]


def _destination(path: str) -> tuple[str, bool]:
    """Return the path with its ending, and whether a file there may be replaced."""
    if path.lower().endswith(WRITABLE):
        return path, True
    return f"{path}{WRITABLE[0]}", False


def _volume(data: Any, attributes: dict[str, Any]) -> Volume:
    if attributes.get("multiscale"):
        data = data[0]
    volume = volume_from_layer_data(data, attributes)
    if METADATA_KEY in attributes.get("metadata", {}):
        return volume
    return _placed_by_neighbour(volume)


def _placed_by_neighbour(volume: Volume) -> Volume:
    """Place a layer that napari made itself as the scan it lies over.

    napari's *New labels* button copies the transform of a layer, not the metadata
    that states where the transform lies in the patient. Where several scans lie
    there, the one nearest below a visible Labels layer counts, and is named.
    """
    from napari import current_viewer
    from napari.utils.notifications import show_warning

    viewer = current_viewer()
    found = {}
    layers = list(viewer.layers) if viewer is not None else []
    for layer in sorted(layers, key=lambda one: not one.visible):
        own = layer.metadata.get(METADATA_KEY, {})
        if "affine" not in own or layer.ndim not in (2, 3):
            continue
        attributes = layer.as_layer_data_tuple()[1]
        here = {**attributes, "rgb": False, "metadata": {}}
        shape = np.shape(layer.data)[: layer.ndim]
        bare = volume_from_layer_data(np.broadcast_to(np.uint8(0), shape), here)
        if bare.shares_grid(volume) and bare.has_geometry == volume.has_geometry:
            there = {**here, "metadata": {METADATA_KEY: own}}
            placed = volume_from_layer_data(volume.array, there)
            found[layer.name] = replace(placed, metadata=volume.metadata)
    if not found:
        return volume
    places = list(found.values())
    visible = [layer.name for layer in reversed(layers) if layer.visible]
    name = next((one for one in visible if one in found), next(iter(found)))
    if any(not place.shares_grid(places[0]) for place in places[1:]):
        show_warning(
            f"Several scans lie where this layer lies; it was saved over '{name}'. "
            "Select the scan before you make a layer over it."
        )
    return found[name]
