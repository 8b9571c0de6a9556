"""Place the frames of a sweep in space, and make one straight grid of them."""

from napari_microus.core.sweep_space.placing import frame_affines
from napari_microus.core.sweep_space.resampling import (
    MOST_VOXELS,
    distance_field,
    resample_sweep,
)

__all__ = ["MOST_VOXELS", "distance_field", "frame_affines", "resample_sweep"]
