"""Show a scan of a batch with its capsule in the viewer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_microus.core import colors
from napari_microus.core.io import read_mask, read_provenance, stem_of
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    layer_arguments,
    show_as_outline,
    tint,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_microus.core.batch import Scan
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Opened:
    """A scan and, where there is one, its mask, read from their files."""

    name: str
    scan: Volume
    mask: Volume | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def read(scan: Scan, mask: Path) -> Generator[Event, None, Opened]:
    """Read a scan and its mask, if there is one; see `read_volume` for errors."""
    yield from ()
    volume = scan.read()
    name = stem_of(scan.label)
    if not mask.is_file():
        return Opened(name, volume)
    return Opened(name, volume, read_mask(mask), read_provenance(mask))


def show(viewer: ViewerModel, opened: Opened) -> None:
    """Add a scan and its mask as layers, or select those that show them.

    The viewer goes to the frame with the largest capsule.
    """
    image = _shown(viewer, opened.scan)
    if image is None:
        image = viewer.add_image(
            opened.scan.array, name=opened.name, **layer_arguments(opened.scan)
        )
    if opened.mask is None:
        viewer.layers.selection.active = image
        return
    labels = _shown(viewer, opened.mask)
    if labels is None:
        made = {**opened.provenance, "image_id": str(image.unique_id)}
        labels = viewer.add_labels(
            opened.mask.array,
            name=f"{opened.name} capsule",
            **{**layer_arguments(opened.mask, provenance=made), **tint(colors.CAPSULE)},
        )
        show_as_outline(labels)
    viewer.layers.selection.active = labels
    areas = opened.mask.array.sum(axis=(1, 2))
    if areas.any():
        place = labels.data_to_world((int(areas.argmax()), 0, 0))
        viewer.dims.set_point(0, place[0])


def _shown(viewer: ViewerModel, volume: Volume) -> Layer | None:
    """Return the layer that shows a file already."""
    source = volume.metadata.get("source")
    for layer in viewer.layers:
        if source and layer.metadata.get(METADATA_KEY, {}).get("source") == source:
            return layer
    return None
