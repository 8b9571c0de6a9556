"""Three diameters of a gland, estimated from its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.measure.frame_sizes import span
from napari_microus.core.sweep import sweep_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

NO_SIZE = "the pixel size is not known"
NO_SWEEP = "neither the distance of the frames nor the angles of a sweep are known"
NOTHING = "no frame has an outline"
AT_THE_END = "the outline reaches the first or the last frame of the sweep"
AT_THE_BORDER = "the outline touches the border of the picture"


@dataclass(frozen=True)
class MaskDiameters:
    """Three diameters at right angles.

    Attributes
    ----------
    columns_mm, rows_mm : float
        Extent along the columns and the rows of the largest frame.
    across_mm : float
        Extent across that frame, over the sweep.
    frame : int
        The largest frame.
    """

    columns_mm: float
    rows_mm: float
    across_mm: float
    frame: int

    @property
    def as_tuple(self) -> tuple[float, float, float]:
        """The three, along columns, rows and across."""
        return self.columns_mm, self.rows_mm, self.across_mm


def mask_diameters(mask: Volume) -> MaskDiameters | str:
    """Return the diameters of a mask, or in words why there are none.

    Parameters
    ----------
    mask : Volume
        1 is the object; its metadata state the sweep.

    Returns
    -------
    MaskDiameters or str
        The part of a sentence, where the outline is cut off or sizes are unknown.

    Notes
    -----
    In a rotational sweep a pixel at a distance r from the axis in a frame turned by θ
    out of the largest one lies r · sin θ beside that one; the extent across is that of
    all outlines' inner and outer ends.
    """
    if not mask.has_geometry:
        return NO_SIZE
    sweep = sweep_of(mask.metadata)
    is_turned = sweep.kind == "rotational"
    inside = mask.array == 1
    count = len(inside)
    if not is_turned and (not mask.knows_frame_distance or count < 2):
        return NO_SWEEP
    areas = inside.sum(axis=(1, 2))
    drawn = np.flatnonzero(areas)
    if drawn.size == 0:
        return NOTHING
    if areas[0] or areas[-1]:
        return AT_THE_END
    largest = int(areas.argmax())
    shown = inside[largest]
    if touches_border(shown):
        return AT_THE_BORDER
    distance_mm, height_mm, width_mm = mask.spacing_mm
    columns, rows = span(shown.any(axis=0)), span(shown.any(axis=1))
    if is_turned:
        across = _across_turn(inside, drawn, largest, sweep, (height_mm, width_mm))
    else:
        across = float(drawn[-1] - drawn[0] + 1) * distance_mm
    return MaskDiameters(columns * width_mm, rows * height_mm, across, largest)


def touches_border(mask: NDArray[np.bool_]) -> bool:
    """Return whether an outline (Y, X) reaches the border of its picture."""
    return bool(
        mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    )


def _across_turn(
    inside: NDArray[np.bool_],
    drawn: NDArray[np.intp],
    largest: int,
    sweep: Sweep,
    pixel_mm: tuple[float, float],
) -> float:
    """Return the extent across the largest frame of outlines turned about an axis."""
    angles = np.deg2rad(np.asarray(sweep.angles_deg))
    is_horizontal = sweep.axis_along == "columns"
    step = pixel_mm[0] if is_horizontal else pixel_mm[1]
    ends = []
    for frame in drawn:
        held = np.flatnonzero(inside[frame].any(axis=1 if is_horizontal else 0))
        radius = held[[0, -1]] * step - float(sweep.axis_at_mm or 0.0)
        ends.append(radius * np.sin(angles[frame] - angles[largest]))
    return float(np.max(ends) - np.min(ends))
