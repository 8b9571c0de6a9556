"""How a non-expert draws the capsule.

A non-expert's contour is the true one, moved outwards or inwards by a smooth,
low-frequency error that grows where the capsule is hard to see: at the midline, in
shadows and where its contrast is low. The styles differ in what they do besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_microus.core.phantom.anatomy import ANGLES
from napari_microus.core.phantom.fields import periodic_curve

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Outline


class AnnotatorStyle(StrEnum):
    """Three ways to err.

    ``cautious`` stays inside what is plainly gland: the mask is too small.
    ``generous`` takes in the bright tissue around it: the mask is too large.
    ``hasty`` sets a few points and joins them: right on average, corners cut,
    and the error varies most.
    """

    cautious = "cautious"
    generous = "generous"
    hasty = "hasty"


_ROUNDING = 6.0  # degrees over which a hasty corner is rounded


@dataclass(frozen=True)
class _Habit:
    bias_mm: float
    bias_weak_mm: float
    spread_mm: float
    spread_weak_mm: float
    points: int


_HABITS = {
    AnnotatorStyle.cautious: _Habit(-0.35, -1.3, 0.3, 1.0, 0),
    AnnotatorStyle.generous: _Habit(0.35, 1.3, 0.3, 1.0, 0),
    AnnotatorStyle.hasty: _Habit(0.0, 0.2, 0.4, 1.5, 14),
}


class Annotator:
    """One person's hand over one scan.

    Parameters
    ----------
    rng : Generator
        Source of this person's errors.
    style : AnnotatorStyle
        How the person errs.
    """

    def __init__(self, rng: Generator, style: AnnotatorStyle) -> None:
        self._habit = _HABITS[style]
        self._waves = [periodic_curve(rng, ANGLES, 5, 1.0) for _ in range(4)]
        self._care = rng.uniform(0.7, 1.3)
        self._jitter = rng.uniform(-0.3, 0.3, self._habit.points)

    def displacement_mm(
        self, outline: Outline, weakness: NDArray[np.float32], position: float
    ) -> NDArray[np.float32]:
        """Return how far outside the truth the contour is drawn, by angle.

        Parameters
        ----------
        outline : Outline
            The true capsule of the frame.
        weakness : ndarray, shape (ANGLES,)
            How hard the capsule is to see, 0 to 1.
        position : float
            Place along the sweep; errors change smoothly with it.
        """
        habit = self._habit
        phase = 2.2 * position
        wave = (
            self._waves[0] * np.cos(phase)
            + self._waves[1] * np.sin(phase)
            + 0.5 * self._waves[2] * np.cos(3 * phase)
            + 0.5 * self._waves[3] * np.sin(3 * phase)
        ) / np.sqrt(1.25)
        spread = habit.spread_mm + habit.spread_weak_mm * weakness
        error = habit.bias_mm + habit.bias_weak_mm * weakness + spread * wave
        error = self._care * error
        if habit.points:
            error = error + self._corners_cut(outline.radius_mm) * outline.slope
        # Nobody draws further in than the middle of the gland.
        error = np.maximum(error, -0.5 * outline.radius_mm)
        return np.asarray(error, np.float32)

    def _corners_cut(self, radius: NDArray[np.float32]) -> NDArray[np.float32]:
        """Radius of the polygon through a few points of the contour, less its own."""
        points = self._habit.points
        spacing = ANGLES / points
        at = ((np.arange(points) + 0.5 + self._jitter) * spacing).astype(int)
        theta = np.arange(ANGLES)
        behind = (np.searchsorted(at, theta, side="right") - 1) % points
        start, end = at[behind], at[(behind + 1) % points]
        span = ((end - start) % ANGLES) * (2 * np.pi / ANGLES)
        since = ((theta - start) % ANGLES) * (2 * np.pi / ANGLES)
        first, last = radius[start], radius[end]
        chord = first * last * np.sin(span)
        chord /= first * np.sin(since) + last * np.sin(span - since)
        # A hand joins points by a curve, not a ruler.
        cut = gaussian_filter1d(chord - radius, _ROUNDING * ANGLES / 360, mode="wrap")
        # What is lost at the corners is won back between them.
        return np.asarray(cut - cut.mean(), np.float32)
