"""Make, find and update the capsule layers of the *Segment capsule* dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_microus.core import colors
from napari_microus.core.errors import InputError
from napari_microus.core.preload import gc_paused
from napari_microus.core.provenance import segmentation_provenance
from napari_microus.widgets._shared.belonging import was_drawn_on
from napari_microus.widgets._shared.drawn import begin_notes, checksum, note_drawn
from napari_microus.widgets._shared.edits import set_pixels
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    array_for_layer,
    derived_metadata,
    geometry,
    show_as_outline,
    tint,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_microus.widgets.segment.request import Request, Segmented


def check_image(layer: Layer | None) -> Image:
    """Return ``layer`` if it is an image we can segment.

    Raises
    ------
    InputError
        If there is none, it is multiscale, or it has more than three dimensions.
    """
    if not isinstance(layer, Image):
        raise InputError(
            "There must be an image to segment; got none. Open a scan first.",
            plain="No scan open. Open a scan to begin.",
        )
    if layer.multiscale:
        raise InputError(
            f"An image must have one resolution; got the pyramid '{layer.name}'. "
            "Open its full resolution alone.",
            plain=f"'{layer.name}' holds several resolutions of one picture. Open its "
            "full resolution alone.",
        )
    sizes = tuple(layer.data.shape[: layer.ndim])
    if layer.ndim < 2 or any(n > 1 for n in sizes[:-3]):
        raise InputError(
            "An image must be a frame or a stack of frames; got "
            f"{layer.ndim} dimensions in '{layer.name}'. Choose one scan of the series"
            ".",
            plain=f"'{layer.name}' is more than one scan. Choose one of the series.",
        )
    return layer


def frame_count(layer: Image) -> int:
    """Return how many frames an image has; one that is flat has 1."""
    return int(layer.data.shape[layer.ndim - 3]) if layer.ndim > 2 else 1


def current_frame(viewer: ViewerModel, layer: Layer) -> int:
    """Return the frame of ``layer`` that the viewer's sliders show."""
    if layer.ndim < 3:
        return 0
    axis = layer.ndim - 3
    index = layer.world_to_data(viewer.dims.point)[axis]
    return int(np.clip(round(float(index)), 0, layer.data.shape[axis] - 1))


def provenance(layer: Layer) -> dict[str, Any] | None:
    """Return who made a layer of ours, or None for any other layer."""
    own = layer.metadata.get(METADATA_KEY)
    made = own.get("provenance") if isinstance(own, dict) else None
    is_ours = isinstance(made, dict) and made.get("task") == "segment"
    return made if is_ours and isinstance(layer, Labels) else None


def describe(image: Image, request: Request, result: Segmented) -> dict[str, Any]:
    """Return what a layer should remember of its making, ready for JSON."""
    made = segmentation_provenance(
        [result.model],
        image=image.name,
        frames=request.frames,
        device=request.device,
        settings=request.settings,
    )
    sure = {"confidence": dict(result.confidence)} if result.confidence else {}
    several = {"channels": list(request.channels)} if request.channels else {}
    return made | sure | several | {"image_id": str(image.unique_id)}


def find_capsule(viewer: ViewerModel, image: Image) -> Labels | None:
    """Return our layer over ``image`` that a re-run should correct, if there is one.

    The active layer goes first, then the topmost.
    """
    shape = tuple(image.data.shape[: image.ndim])
    ours = [
        layer
        for layer in viewer.layers
        if provenance(layer) is not None
        and was_drawn_on(layer, image, viewer.layers)
        and layer.data.shape == shape
    ]
    active = viewer.layers.selection.active
    return active if active in ours else (ours[-1] if ours else None)


def add_capsule(
    viewer: ViewerModel,
    image: Image,
    mask: NDArray[Any],
    made: dict[str, Any] | None,
    visible: bool = True,
) -> Labels:
    """Add the mask as a new layer exactly over the image, ready to be edited.

    Without ``made``, who drew it is stated later.
    """
    origin = {} if made is None else {"provenance": made}
    layer = Labels(
        array_for_layer(mask, image),
        name=f"{image.name} capsule",
        **tint(colors.CAPSULE),
        visible=False,
        metadata=derived_metadata(image, **origin),
        **geometry(image),
    )
    show_as_outline(layer)
    layer.selected_label = 1
    viewer.layers.append(layer)
    viewer.layers.selection.active = layer
    layer.visible = visible  # now: a visible layer's outline would be drawn twice
    return layer


def warm_up() -> None:
    """Have napari compile what draws a mask, before the first one must be drawn.

    numba needs more than a second for it, which the window would be waiting for;
    made and dropped in a thread, a layer that is in no viewer lets it continue.
    """
    with gc_paused():
        Labels(np.zeros((2, 2), dtype=np.uint8), **tint(colors.CAPSULE))


def replace_frames(
    layer: Labels, mask: NDArray[Any], frames: tuple[int, ...], made: dict[str, Any]
) -> bool:
    """Put the given frames of ``mask`` into our layer as one step that can be undone.

    Returns
    -------
    bool
        False if the frames were so already.
    """
    fresh = array_for_layer(mask, layer).astype(layer.data.dtype, copy=False)
    frame_axis = layer.ndim - 3
    chosen = (slice(None),) if frame_axis < 0 else (slice(None),) * frame_axis
    index = np.s_[chosen] if frame_axis < 0 else (*chosen, list(frames))
    changed = np.nonzero(np.asarray(layer.data[index]) != fresh[index])
    if changed[0].size == 0:
        return False
    if frame_axis >= 0:
        # Positions among the chosen frames become positions in the layer.
        at = np.asarray(frames)[changed[frame_axis]]
        changed = (*changed[:frame_axis], at, *changed[frame_axis + 1 :])
    begin_notes(layer)
    set_pixels(layer, changed, np.asarray(fresh[changed]))
    drawn = {k: checksum(mask[k]) for k in frames}
    note_drawn(layer, drawn)
    run = {key: made[key] for key in ("frames", "model", "model_version", "date")}
    runs = layer.metadata[METADATA_KEY]["provenance"].setdefault("mended", [])
    runs.append({**run, "drawn": drawn})
    return True


def add_map(
    viewer: ViewerModel, image: Image, name: str, values: NDArray[Any]
) -> Image:
    """Add a probability or uncertainty map over the image, under the active layer."""
    active = viewer.layers.selection.active
    layer = Image(
        array_for_layer(values, image),
        name=f"{image.name} {name}",
        # Both are black, and so leave the image as it is, where the value is 0.
        colormap="magma" if name == "uncertainty" else "bop blue",
        blending="additive",
        opacity=0.5,
        contrast_limits=(0, 1),
        metadata=derived_metadata(image, map=name),
        **geometry(image),
    )
    place = viewer.layers.index(active) if active in viewer.layers else None
    viewer.layers.insert(len(viewer.layers) if place is None else place, layer)
    viewer.layers.selection.active = active
    return layer
