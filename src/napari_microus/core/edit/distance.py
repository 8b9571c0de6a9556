"""The distance of every pixel from a mask's outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

if TYPE_CHECKING:
    from numpy.typing import NDArray


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance to the outline in pixels, positive inside (Y, X)."""
    inside = distance_transform_edt(mask)
    return np.asarray(
        np.where(mask, inside - 0.5, 0.5 - distance_transform_edt(~mask)), np.float32
    )
