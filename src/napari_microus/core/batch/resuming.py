"""Whether a scan's mask is there already: whole, and of the same making."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from napari_microus.core.batch.places import mask_path, probability_path
from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    read_mask,
    read_provenance,
    read_scan_properties,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings
    from napari_microus.core.volume import Volume

#: Under this key the provenance of a mask holds what a later batch looks for.
KEY = "batch"


def making(scan: Scan, settings: BatchSettings, scan_sha256: str) -> dict[str, Any]:
    """Return all that a mask depends on: the scan, its properties, models, options."""
    properties = read_scan_properties(scan.files[0])
    return {
        "scan_sha256": scan_sha256,
        "scan_properties": None if properties.is_empty else properties.to_dict(),
        **settings.fingerprint(),
    }


def voxels_sha256(mask: Volume) -> str:
    """Return the SHA-256 of a mask's voxels, frame by frame."""
    digest = hashlib.sha256(repr(mask.shape).encode())
    for frame in mask.array:
        digest.update(frame.astype("uint8").tobytes())
    return digest.hexdigest()


def row_of_same(
    scan: Scan, settings: BatchSettings, made: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the measurements of a mask that is there, whole and of the same making.

    Returns
    -------
    dict or None
        None where there is no such mask, or it was changed since.
    """
    path = mask_path(settings.output, scan.name)
    if not path.is_file():
        return None
    if settings.probability is not None:
        if not probability_path(settings.probability, scan.name).is_file():
            return None
    try:
        stated = read_provenance(path).get(KEY)
        if not isinstance(stated, dict) or stated.get("making") != dict(made):
            return None
        if voxels_sha256(read_mask(path)) != stated.get("mask_sha256"):
            return None
    except InputError:
        return None
    row = stated.get("measurements")
    return row if isinstance(row, dict) else None


def is_same(scan: Scan, settings: BatchSettings, made: Mapping[str, Any]) -> bool:
    """Return whether the mask that is there may be made once more.

    It is of the same making, and nobody changed it: only its probability map is
    missing, or the file was damaged after it was written.
    """
    path = mask_path(settings.output, scan.name)
    try:
        stated = read_provenance(path).get(KEY)
    except InputError:
        return False
    if not isinstance(stated, dict) or stated.get("making") != dict(made):
        return False
    try:
        return voxels_sha256(read_mask(path)) == stated.get("mask_sha256")
    except InputError:
        # Nobody edits a mask into a damaged file; where there is none, a batch was
        # killed between the mask and what describes it.
        return True
