"""Measure a capsule: areas, extents, volumes by method, and how sure they are."""

from napari_microus.core.measure.measurements import (
    Measurements,
    measure,
    measuring,
)
from napari_microus.core.measure.table import (
    summary,
    write_frames_csv,
    write_summary_csv,
)

__all__ = [
    "Measurements",
    "measure",
    "measuring",
    "summary",
    "write_frames_csv",
    "write_summary_csv",
]
