"""Recognise a scan wherever it was moved, and take no other for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io import ScanProperties
from napari_microus.core.sweep import sweep_of
from napari_microus.core.volume import UNKNOWN, Volume, size_in_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE_STATED_SINCE = (
    "The scan's size was stated after the case was saved. Save the case again to have "
    "its measurements in mm."
)
CHANGED_GRID = (
    "The scan's file states another size or place than when the case was saved; the "
    "case's was taken. Set the scan's properties again, then save the case."
)
FROM_FILE = "the scan's file"
NOT_STATED = "not told"


@dataclass(frozen=True, eq=False)
class ScanReference:
    """What a case keeps of its scan.

    Attributes
    ----------
    file : str or None
        Path inside the case's folder, with ``/``; None where the scan lies elsewhere:
        names of files and folders may be those of patients.
    pixels_sha256 : str
        Of `pixels_sha256`.
    shape : tuple of int
        Frames, rows, columns.
    affine : ndarray, shape (4, 4)
        As in `Volume`.
    has_pixel_size, is_oriented : bool
        What is known of the place.
    size_from : str
        Where the pixel size is from.
    properties : ScanProperties
        Sizes and sweep, as they stand in a sidecar.
    notices : tuple of str
        What the user should know about the scan.
    """

    file: str | None
    pixels_sha256: str
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    has_pixel_size: bool
    is_oriented: bool
    size_from: str
    properties: ScanProperties
    notices: tuple[str, ...] = ()

    def place(self, array: NDArray[Any], notices: tuple[str, ...] = ()) -> Volume:
        """Return an array of the scan's shape on the grid that the case states."""
        metadata: dict[str, Any] = {"notices": list(notices)}
        if self.properties.frame_distance_mm == UNKNOWN:
            metadata["frame_distance"] = UNKNOWN
        if self.properties.sweep is not None:
            metadata["sweep"] = self.properties.sweep.to_dict()
        if self.has_pixel_size and self.size_from not in (FROM_FILE, NOT_STATED):
            metadata["pixel_size_from"] = self.size_from
        return Volume(
            array,
            self.affine,
            self.has_pixel_size,
            metadata,
            is_oriented=self.is_oriented,
        )


def reference_of(scan: Volume, digest: str, file: str | None = None) -> ScanReference:
    """Return what a case keeps of ``scan``, whose `pixels_sha256` is ``digest``."""
    stated = scan.metadata.get("pixel_size_from")
    size_from = str(stated) if stated else FROM_FILE
    return ScanReference(
        file,
        digest,
        scan.shape,
        scan.affine,
        scan.has_geometry,
        scan.is_oriented,
        size_from if scan.has_geometry else NOT_STATED,
        properties_of(scan),
        tuple(str(notice) for notice in scan.metadata.get("notices", ())),
    )


def properties_of(scan: Volume) -> ScanProperties:
    """Return the sizes and the sweep of a scan as a sidecar beside it would state them.

    Raises
    ------
    InputError
        If a size is out of the bounds of `ScanProperties`.
    """
    distance_mm, height_mm, width_mm = scan.spacing_mm
    properties = ScanProperties()
    if scan.has_geometry:
        properties = replace(properties, pixel_mm=(height_mm, width_mm))
    if "sweep" in scan.metadata:
        properties = replace(properties, sweep=sweep_of(scan.metadata))
    is_turned = sweep_of(scan.metadata).kind == "rotational"
    if is_turned or scan.metadata.get("frame_distance") == UNKNOWN:
        properties = replace(properties, frame_distance_mm="unknown")
    elif scan.has_geometry and len(scan.array) > 1:
        properties = replace(properties, frame_distance_mm=distance_mm)
    return properties


def pixels_sha256(scan: Volume) -> str:
    """Return a digest of a scan's shape and pixels, the same in any file format.

    Whole numbers count as such in whatever type a format keeps them; only bytes are
    distinguished, which every format keeps.
    """
    array = scan.array
    digest = hashlib.sha256()
    kind = _canonical(array.dtype)
    digest.update(repr((tuple(map(int, array.shape)), kind)).encode())
    for frame in array:
        digest.update(np.ascontiguousarray(frame, dtype=kind).tobytes())
    return digest.hexdigest()


def placed_scan(scan: Volume, reference: ScanReference) -> Volume:
    """Return a scan with the sizes of the case, after seeing that it is the one.

    A size that the scan states and the case does not is kept.

    Raises
    ------
    InputError
        If its pixels are others.
    """
    if scan.shape != reference.shape:
        raise InputError(
            f"The scan must be the one of this case; got {size_in_words(scan.shape)} "
            f"instead of {size_in_words(reference.shape)}. Choose the scan that the "
            "case was made from.",
            plain=(
                "That is another scan, of another size. Choose the scan "
                "that the case was made from."
            ),
        )
    if pixels_sha256(scan) != reference.pixels_sha256:
        raise InputError(
            "The scan must be the one of this case; got other pixels. Choose the scan "
            "that the case was made from, unchanged.",
            plain=(
                "That is another scan, or one that was changed. Choose the "
                "scan that the case was made from."
            ),
        )
    notices = tuple(str(notice) for notice in scan.metadata.get("notices", ()))
    if scan.has_geometry and not reference.has_pixel_size:
        stated = [*notices, SIZE_STATED_SINCE]
        return replace(scan, metadata={**scan.metadata, "notices": stated})
    placed = reference.place(scan.array, notices)
    if _states_otherwise(scan, placed):
        placed = reference.place(scan.array, (*notices, CHANGED_GRID))
    if "source" in scan.metadata:
        placed.metadata["source"] = scan.metadata["source"]
    return placed


def _states_otherwise(scan: Volume, placed: Volume) -> bool:
    if not scan.has_geometry:
        return False  # a person stated for the case what the file does not
    if not scan.shares_grid(placed):
        return True
    ways = ("frame_distance", "sweep")
    return any(
        name in scan.metadata and scan.metadata[name] != placed.metadata.get(name)
        for name in ways
    )


def _canonical(dtype: np.dtype[Any]) -> str:
    if dtype in (np.dtype(bool), np.dtype(np.uint8)):
        return "|u1"
    return "<i8" if dtype.kind in "iu" else "<f8"
