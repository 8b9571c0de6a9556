"""The capsule being corrected: its layer, its scan, and changes that can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_microus.core import library
from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.belonging import lies_over, was_drawn_on
from napari_microus.widgets._shared.edits import set_pixels
from napari_microus.widgets._shared.layers import METADATA_KEY, is_derived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.components import ViewerModel
    from numpy.typing import NDArray

_MOST_LABELS = 1


class Capsule:
    """A Labels layer of a scan, with its review.

    Parameters
    ----------
    layer : Labels
        Two or three dimensions, in memory; 0, 1, and 255 for undecided.
    scan : Image
        The scan it lies over.

    Raises
    ------
    InputError
        If the layer cannot be corrected.
    """

    def __init__(self, layer: Labels, scan: Image) -> None:
        _check(layer)
        self.layer, self.scan = layer, scan
        self.review = Review.from_provenance(self.count, self.provenance)

    @property
    def count(self) -> int:
        """Frames."""
        return 1 if self.layer.ndim == 2 else int(self.layer.data.shape[0])

    @property
    def provenance(self) -> dict[str, Any]:
        """What the layer states about its making; it is saved beside the mask."""
        own = self.layer.metadata.setdefault(METADATA_KEY, {})
        made: dict[str, Any] = own.setdefault("provenance", {"task": "segment"})
        return made

    def model_name(self) -> str:
        """Return the model that drew the capsule, or the default one."""
        named = str(self.provenance.get("model", ""))
        known = {model.name for model in library.list_models() if not model.problem}
        return named if named in known else library.DEFAULT_MODEL

    def masks(self) -> NDArray[Any]:
        """Return the layer's values (Z, Y, X), no copy."""
        data = self.layer.data
        return data[np.newaxis] if data.ndim == 2 else data

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Return one frame's capsule (Y, X)."""
        return np.asarray(self.masks()[frame] == 1)

    def images(self) -> NDArray[Any]:
        """Return the scan's grey levels (Z, Y, X)."""
        from napari_microus.widgets._shared.layers import volume_from_layer

        return volume_from_layer(self.scan).array

    def pixel(self) -> tuple[tuple[float, float], str]:
        """Return a pixel's height and width, and their unit: mm, or px."""
        from napari_microus.widgets._shared.layers import volume_from_layer_data

        grid = volume_from_layer_data(
            np.broadcast_to(np.uint8(0), self.layer.data.shape),
            {
                name: getattr(self.layer, name)
                for name in (
                    *("scale", "translate", "rotate", "shear", "affine"),
                    *("units", "metadata"),
                )
            },
        )
        if not grid.has_geometry:
            return (1.0, 1.0), "px"
        return (float(grid.spacing_mm[1]), float(grid.spacing_mm[2])), "mm"

    @staticmethod
    def values(mask: NDArray[np.bool_], before: NDArray[Any]) -> NDArray[Any]:
        """Return a frame's values for a mask; undecided pixels outside it stay so."""
        rest = np.where(before == IGNORE_VALUE, before, 0)
        return np.where(mask, 1, rest).astype(before.dtype)

    def draw(self, frames: Mapping[int, NDArray[Any]]) -> list[int]:
        """Put frames (Y, X) into the layer as one step that Ctrl+Z undoes.

        Parameters
        ----------
        frames : mapping of int to ndarray, shape (Y, X)
            Masks (bool), see `values`, or the layer's values as they are.

        Returns
        -------
        list of int
            The frames that changed.
        """
        places, values, changed = [], [], []
        for frame, given in sorted(frames.items()):
            old = self.masks()[frame]
            is_mask = given.dtype == bool
            fresh = self.values(given, old) if is_mask else given.astype(old.dtype)
            differs = old != fresh
            lines = np.flatnonzero(differs.any(axis=1))
            if lines.size == 0:
                continue
            rows, columns = np.nonzero(differs[lines[0] : lines[-1] + 1])
            rows += lines[0]
            changed.append(frame)
            places.append((np.full(rows.size, frame), rows, columns))
            values.append(fresh[rows, columns])
        if not changed:
            return []
        index = tuple(np.concatenate(axis) for axis in zip(*places, strict=True))
        if self.layer.ndim == 2:
            index = index[1:]
        set_pixels(self.layer, index, np.concatenate(values))
        return changed

    def keep_review(self) -> None:
        """Write the review into the layer's provenance."""
        self.provenance["review"] = self.review.to_provenance()


def find_scan(viewer: ViewerModel, layer: Labels) -> Image | None:
    """Return the topmost scan that a Labels layer lies over, the named one first."""
    scans = [
        image
        for image in viewer.layers
        if isinstance(image, Image)
        and not is_derived(image)
        and not image.multiscale
        and lies_over(layer, image)
    ]
    named = [s for s in scans if was_drawn_on(layer, s, viewer.layers)]
    return (named or scans[::-1] or [None])[0]


def _check(layer: Labels) -> None:
    data = layer.data
    if not isinstance(data, np.ndarray):
        raise InputError(
            "A capsule to correct must lie in memory; got a layer of "
            f"{type(data).__name__}. Duplicate it first.",
            plain=(
                "This layer is read from a file bit by bit, and cannot be "
                "corrected. Duplicate it first."
            ),
        )
    if layer.ndim > 3:
        raise InputError(
            "A capsule must be a frame or a stack of frames; got "
            f"{layer.ndim} dimensions in '{layer.name}'. Choose one scan's capsule.",
            plain=(
                f"'{layer.name}' has more dimensions than a scan. Choose the "
                "capsule of one scan."
            ),
        )
    if not data.flags.writeable or not layer.editable:
        raise InputError(
            f"A capsule to correct must be editable; got '{layer.name}', which is "
            "read-only. Duplicate it first.",
            plain=(f"'{layer.name}' is locked. Duplicate it, and correct the copy."),
        )
    low, high = int(data.min()), int(data.max())
    if low < 0 or high > _MOST_LABELS:
        values = sorted(set(np.unique(data).tolist()) - {0, 1, 255})
        if values:
            raise InputError(
                f"A capsule must hold one label, 1; got {values[0]} in "
                f"'{layer.name}'. Choose the capsule, or renumber it.",
                plain=(
                    f"'{layer.name}' is drawn with label {values[0]}, not 1. "
                    "Choose the capsule, or renumber it."
                ),
            )
