"""What is measured of a scan and its mask: one row of ``measurements.csv``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.volumetry import mask_volume

if TYPE_CHECKING:
    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings
    from napari_microus.core.predict.result import Prediction
    from napari_microus.core.volume import Volume

DONE, FAILED = "done", "failed"

COLUMNS = (
    *("scan", "source", "status", "reason", "frames", "frames_with_capsule"),
    *("pixel_height_mm", "pixel_width_mm", "pixel_size_from", "frame_distance_mm"),
    *("largest_area_frame", "largest_area_mm2", "largest_area_px"),
    *("mean_area_mm2", "mean_area_px", "volume_ml", "volume_method"),
    *("no_volume_because", "mean_confidence", "least_confidence", "look_first"),
    *("seconds", "model", "model_version", "weights_sha256", "device", "package"),
    *("date", "mask", "notices", "scan_sha256", "use"),
)
USE = "research use only, not for clinical decisions"
_DIGEST_LETTERS = 12


def measure(scan: Volume, prediction: Prediction) -> dict[str, Any]:
    """Return sizes, areas, volume and confidence, ready for JSON.

    Parameters
    ----------
    scan : Volume
        Gives the size of a pixel and where it is from.
    prediction : Prediction
        Its mask is measured in all frames, its confidence in those with a capsule.

    Returns
    -------
    dict
        Those of `COLUMNS` that have a value: lengths in mm, areas in mm² only where
        the pixel size is known, else in pixels alone; a volume, or why there is none.
    """
    from napari_microus.core.predict.confidence import look_first

    mask = prediction.mask
    areas = np.array([np.count_nonzero(frame) for frame in mask.array])
    drawn = np.flatnonzero(areas)
    row: dict[str, Any] = {
        "frames": len(areas),
        "frames_with_capsule": len(drawn),
    }
    frame_mm, height_mm, width_mm = scan.spacing_mm
    if scan.has_geometry:
        row["pixel_height_mm"] = round(height_mm, 6)
        row["pixel_width_mm"] = round(width_mm, 6)
        row["pixel_size_from"] = scan.metadata.get("pixel_size_from", "the scan's file")
    if scan.knows_frame_distance and len(areas) > 1:
        row["frame_distance_mm"] = round(frame_mm, 6)
    if len(drawn):
        row["largest_area_frame"] = int(areas.argmax())
        row["largest_area_px"] = int(areas.max())
        row["mean_area_px"] = round(float(areas[drawn].mean()), 2)
    if len(drawn) and scan.has_geometry:
        pixel_mm2 = height_mm * width_mm
        row["largest_area_mm2"] = round(float(areas.max() * pixel_mm2), 3)
        row["mean_area_mm2"] = round(float(areas[drawn].mean() * pixel_mm2), 3)
    size = mask_volume(mask)
    if size.ml is None:
        row["no_volume_because"] = size.method
    else:
        row |= {"volume_ml": round(size.ml, 3), "volume_method": size.method}
    sure = [
        confidence
        for frame, confidence in zip(
            prediction.frames, prediction.confidence, strict=True
        )
        if areas[frame]
    ]
    if sure:
        row["mean_confidence"] = round(float(np.mean(sure)), 3)
        row["least_confidence"] = round(float(np.min(sure)), 3)
    row["look_first"] = " ".join(map(str, look_first(prediction)))
    return row


def row_of(
    scan: Scan, settings: BatchSettings, *, digest: str = "", **values: Any
) -> dict[str, Any]:
    """Return a row of the table: what is always given, and ``values``."""
    models = settings.models
    return {
        "scan": scan.name,
        "source": scan.label,
        "model": ", ".join(one.name for one in models),
        "model_version": ", ".join(one.version for one in models),
        "weights_sha256": ", ".join(
            one.weights_sha256[:_DIGEST_LETTERS] for one in models
        ),
        "package": settings.package,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "scan_sha256": digest,
        "use": USE,
        **values,
    }
