"""Turn a case into what ``case.json`` holds, and back; docs/case-schema.json."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.case.document_check import damaged
from napari_microus.core.case.record import FORMAT, USE, VERSION
from napari_microus.core.case.scan_reference import ScanReference
from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError
from napari_microus.core.io import ScanProperties
from napari_microus.core.measure import Measurements
from napari_microus.core.measure.diameters import MaskDiameters
from napari_microus.core.measure.frame_sizes import FrameSize
from napari_microus.core.provenance import package_version
from napari_microus.core.volumetry import VolumeEstimate

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_TEXT = 1000


def to_document(
    *,
    code: str,
    revision: int,
    created: str,
    modified: str,
    reference: ScanReference,
    mask: Mapping[str, str],
    others: list[dict[str, str]],
    review: Review,
    measurements: Measurements,
    note: str,
) -> dict[str, Any]:
    """Return a case as JSON-ready data; ``mask`` and ``others`` name files, digests."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "code": code,
        "revision": revision,
        "created": created,
        "modified": modified,
        "package": f"napari-microus {package_version()}",
        "use": USE,
        "scan": {
            "file": reference.file,
            "pixels_sha256": reference.pixels_sha256,
            "shape": list(reference.shape),
            "affine": reference.affine.tolist(),
            "has_pixel_size": reference.has_pixel_size,
            "is_oriented": reference.is_oriented,
            "size_from": reference.size_from[:_LONGEST_TEXT],
            "properties": reference.properties.to_dict(),
            "notices": [notice[:_LONGEST_TEXT] for notice in reference.notices],
        },
        "mask": dict(mask),
        "others": others,
        "review": {**review.to_provenance(), "doubtful": list(review.doubtful)},
        "psa_ng_ml": measurements.psa_ng_ml,
        "diameters_mm": _listed(measurements.diameters_mm),
        "note": note,
        "measurements": _measured(measurements),
    }


def encoded(document: dict[str, Any]) -> str:
    """Return a document as text, refusing numbers that JSON does not have."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def reference_from(document: dict[str, Any]) -> ScanReference:
    """Return how the scan of a checked document is known again."""
    entries = document["scan"]
    try:
        properties = ScanProperties.from_dict(entries["properties"])
    except InputError as error:
        # Without what to do about a sidecar.
        wrong, plain = (
            words.rpartition(". ")[0] for words in (str(error), error.plain)
        )
        where = "The case is damaged (field 'scan.properties')"
        raise InputError(
            f"{where}: {wrong}. Open another copy.",
            plain=f"{where}: {plain}. Open another copy.",
        ) from error
    z, y, x = (int(size) for size in entries["shape"])
    affine = np.array(entries["affine"], np.float64)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not abs(np.linalg.det(affine[:3, :3])) > 1e-9 * lengths.prod():
        raise damaged("scan.affine", "axes of some length, not in one plane", "others")
    return ScanReference(
        entries["file"],
        entries["pixels_sha256"],
        (z, y, x),
        affine,
        entries["has_pixel_size"],
        entries["is_oriented"],
        entries["size_from"],
        properties,
        tuple(entries["notices"]),
    )


def review_from(document: dict[str, Any]) -> Review:
    """Return the review of a checked document."""
    entries, count = document["review"], int(document["scan"]["shape"][0])
    for name in ("edited", "approved", "doubtful"):
        beyond = [frame for frame in entries[name] if frame >= count]
        if beyond:
            raise damaged(
                f"review.{name}", f"frames of the scan, below {count}", beyond[0]
            )
    edited, approved, doubtful = (
        [int(frame) for frame in entries[name]]
        for name in ("edited", "approved", "doubtful")
    )
    return Review(count, set(edited), set(approved), doubtful)


def measurements_from(document: dict[str, Any]) -> Measurements:
    """Return the measurements of a checked document."""
    entries, count = document["measurements"], int(document["scan"]["shape"][0])
    rows = entries["frames"]
    if [row["frame"] for row in rows] != list(range(count)):
        raise damaged(
            "measurements.frames",
            f"an entry for each of {count} frames in their order",
            f"{len(rows)} entries",
        )
    reference, review = reference_from(document), review_from(document)
    pixel_mm = reference.properties.pixel_mm if reference.has_pixel_size else None
    given, psa = document["diameters_mm"], document["psa_ng_ml"]
    diameters = entries["mask_diameters"]
    ellipsoid = entries["ellipsoid"]
    return Measurements(
        tuple(FrameSize(**row) for row in rows),
        pixel_mm,
        _estimate(entries["volume"]),
        None if ellipsoid is None else _estimate(ellipsoid),
        _estimate(entries["mask_ellipsoid"]),
        None if given is None else (given[0], given[1], given[2]),
        None if diameters is None else MaskDiameters(**diameters),
        psa,
        entries["no_interval"],
        tuple(sorted(review.edited)),
        tuple(sorted(review.approved)),
        tuple(entries["notices"]),
    )


def _measured(measured: Measurements) -> dict[str, Any]:
    diameters, ellipsoid = measured.mask_diameters, measured.ellipsoid
    return {
        "frames": [dataclasses.asdict(size) for size in measured.frames],
        "volume": _volume(measured.volume),
        "ellipsoid": None if ellipsoid is None else _volume(ellipsoid),
        "mask_ellipsoid": _volume(measured.mask_ellipsoid),
        "mask_diameters": None if diameters is None else dataclasses.asdict(diameters),
        "no_interval": measured.no_interval,
        "notices": list(measured.notices),
    }


def _volume(estimate: VolumeEstimate) -> dict[str, Any]:
    return {
        "ml": estimate.ml,
        "method": estimate.method,
        "interval_ml": _listed(estimate.interval_ml),
    }


def _estimate(entries: dict[str, Any]) -> VolumeEstimate:
    ends = entries["interval_ml"]
    return VolumeEstimate(
        entries["ml"], entries["method"], None if ends is None else (ends[0], ends[1])
    )


def _listed(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else list(values)
