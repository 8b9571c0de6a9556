"""The size of an outline in each frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class FrameSize:
    """What is measured in one frame.

    Attributes
    ----------
    frame : int
        Counted from 0.
    state : str
        A value of `core.edit.review.FrameState`.
    area_px, width_px, height_px : int
        Pixels inside, and the columns and rows that they span.
    area_mm2, width_mm, height_mm : float or None
        The same in mm; None where the pixel size is unknown.
    area_sd_share : float or None
        Standard deviation of the area divided by the area; None where unknown.
    confidence : float or None
        How sure the model was of the frame, see `core.predict.confidence`.
    """

    frame: int
    state: str
    area_px: int
    width_px: int
    height_px: int
    area_mm2: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    area_sd_share: float | None = None
    confidence: float | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether the frame has an outline."""
        return self.area_px > 0

    @property
    def area_sd_mm2(self) -> float | None:
        """Standard deviation of the area, None where it or the size is unknown."""
        if self.area_mm2 is None or self.area_sd_share is None:
            return None
        return self.area_mm2 * self.area_sd_share


def frame_size(
    frame: int,
    inside: NDArray[np.bool_],
    pixel_mm: tuple[float, float] | None,
    *,
    state: str,
    area_sd_share: float | None = None,
    confidence: float | None = None,
) -> FrameSize:
    """Return the size of the outline in one frame.

    Parameters
    ----------
    frame : int
        Its number.
    inside : ndarray of bool, shape (Y, X)
        The outline's inside.
    pixel_mm : tuple of float or None
        Height and width of a pixel; None where unknown.
    state, area_sd_share, confidence
        See `FrameSize`.
    """
    area = int(inside.sum())
    width, height = span(inside.any(axis=0)), span(inside.any(axis=1))
    size = FrameSize(
        frame,
        state,
        area,
        width,
        height,
        area_sd_share=area_sd_share,
        confidence=confidence,
    )
    if pixel_mm is None:
        return size
    high_mm, wide_mm = pixel_mm
    return replace(
        size,
        area_mm2=area * high_mm * wide_mm,
        width_mm=width * wide_mm,
        height_mm=height * high_mm,
    )


def span(held: ArrayLike) -> int:
    """Return how many places lie from the first that is held to the last."""
    places = np.flatnonzero(held)
    return int(places[-1] - places[0] + 1) if places.size else 0
