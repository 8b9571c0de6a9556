"""Measurements as tables: a row for each frame, or a row for each case."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_microus.core.measure.measurements import Measurements

_FRAME_COLUMNS = (
    "frame",
    "state",
    "area_px",
    "width_px",
    "height_px",
    "area_mm2",
    "width_mm",
    "height_mm",
    "area_sd_mm2",
    "confidence",
)


def write_frames_csv(
    measured: Measurements, path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a row for each frame; what is not known is an empty cell.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    rows = (
        [getattr(size, name) for name in _FRAME_COLUMNS] for size in measured.frames
    )
    _write(path, _FRAME_COLUMNS, rows, overwrite)


def summary(measured: Measurements) -> dict[str, Any]:
    """Return one row of what was measured; None where it is not known.

    Returns
    -------
    dict
        ``volume_ml`` is by the scan's geometry, ``volume_method`` its name or the
        reason why there is none; ``psa_density`` is of the first volume that is known,
        see `Measurements.best_volume`.
    """
    largest, volume = measured.largest, measured.volume
    low, high = volume.interval_ml or (None, None)
    given = measured.ellipsoid
    return {
        "frames": len(measured.frames),
        "drawn": len(measured.drawn),
        "edited": len(measured.edited),
        "approved": len(measured.approved),
        "empty": len(measured.frames) - len(measured.drawn),
        "largest_frame": None if largest is None else largest.frame,
        "largest_area_px": None if largest is None else largest.area_px,
        "largest_area_mm2": None if largest is None else largest.area_mm2,
        "volume_ml": volume.ml,
        "volume_low_ml": low,
        "volume_high_ml": high,
        "volume_method": volume.method,
        "ellipsoid_ml": None if given is None else given.ml,
        "mask_ellipsoid_ml": measured.mask_ellipsoid.ml,
        "psa_ng_ml": measured.psa_ng_ml,
        "psa_density": measured.psa_density(measured.best_volume),
    }


def write_summary_csv(
    cases: Mapping[str, Measurements], path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a row for each case under its code; see `summary`.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    rows = {code: summary(measured) for code, measured in cases.items()}
    columns = list(next(iter(rows.values()), {}))
    _write(
        path,
        ("case", *columns),
        ([code, *row.values()] for code, row in rows.items()),
        overwrite,
    )


def _write(
    path: str | Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    overwrite: bool,
) -> None:
    with (
        atomic_write(path, overwrite=overwrite) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
