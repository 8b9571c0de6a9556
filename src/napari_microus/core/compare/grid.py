"""Bring a mask onto another mask's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import as_mask
from napari_microus.core.volume import size_in_words

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.volume import Volume


def grid_problem(mask: Volume, reference: Volume, *, name: str = "mask") -> str | None:
    """Return why two volumes cannot be compared pixel by pixel, or None.

    The sentence names the difference and what to do about it.
    """
    if mask.shape != reference.shape:
        return (
            f"The {name} has {size_in_words(mask.shape)}, and the reference "
            f"{size_in_words(reference.shape)}. Resample it onto the reference."
        )
    if mask.has_geometry != reference.has_geometry:
        return None
    if not mask.shares_grid(reference):
        ours = " × ".join(f"{size:.4g}" for size in mask.spacing_mm)
        theirs = " × ".join(f"{size:.4g}" for size in reference.spacing_mm)
        how = "it is shifted or turned"
        if ours != theirs:
            how = f"its pixels have {ours} mm, not {theirs} mm"
        return (
            f"The {name} does not lie where the reference lies: {how}. Resample it "
            "onto the reference."
        )
    return None


def resample_frames(mask: Volume, reference: Volume) -> Generator[Event, None, Volume]:
    """Return ``mask`` on the grid of ``reference``, nearest neighbour.

    Where either has no geometry both are taken to cover the same rectangle.
    Pixels outside the mask become background; 255 stays undecided. Yields after each
    frame.

    Raises
    ------
    InputError
        If nothing of the mask lies on the reference's grid.
    """
    array = as_mask(mask.array)
    if mask.has_geometry and reference.has_geometry:
        # Index (x, y, z) of the reference -> index of the mask, then array order.
        to_mask = np.linalg.inv(mask.affine) @ reference.affine
        matrix = to_mask[:3, :3][::-1, ::-1]
        offset = to_mask[:3, 3][::-1]
    else:
        ratio = np.divide(mask.shape, reference.shape)
        matrix, offset = np.diag(ratio), (ratio - 1) / 2
    result = np.zeros(reference.shape, np.uint8)
    for number in range(len(result)):
        ndi.affine_transform(
            array,
            matrix,
            offset + matrix[:, 0] * number,
            output=result[number : number + 1],
            order=0,
            # A voxel reaches half its size beyond its centre, at the edge too.
            mode="grid-constant",
        )
        yield Progress(number + 1, len(result), message="Resampling")
    if array.any() and not result.any():
        raise InputError(
            "Mask and reference must overlap; got no common voxel. "
            "Check that both belong to one scan.",
            plain="The two masks lie in different places and have nothing in common. "
            "Check that both belong to one scan.",
        )
    return reference.like(result, source=mask.metadata.get("source", ""))
