"""Where the frames of a DICOM scan lie, and how large their pixels are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import items, number, numbers, value_of
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE
from napari_microus.core.volume import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# LPS, DICOM's patient, to RAS, ours.
_RAS = np.diag([-1.0, -1.0, 1.0])

# The order of trust. The second is measured at a detector, the third is nominal.
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")

NO_PIXEL_SIZE = (
    "The file states no pixel size; lengths are in pixels. Set the pixel size."
)
TURNED = (
    "The frames are turned against each other; their distance is unknown. State the "
    "sweep as a scan property."
)
_DIFFERS = 0.01


@dataclass
class Place:
    """The geometry of a scan; `affine` is of the whole picture.

    Parameters
    ----------
    affine : ndarray, shape (4, 4)
        As in `Volume`.
    has_geometry : bool
        Whether lengths in a frame are mm.
    is_oriented : bool
        Whether the file states how the patient lies.
    notices : list of str
        What the user should know.
    stated : dict
        For the scan's metadata.
    """

    affine: NDArray[np.float64]
    has_geometry: bool
    is_oriented: bool
    notices: list[str] = field(default_factory=list)
    stated: dict[str, Any] = field(default_factory=dict)


def place_of(
    headers: Sequence[Any],
    frames: int,
    calibrated_mm: tuple[float, float] | None,
    path: Path,
) -> Place:
    """Return where ``frames`` frames lie.

    Parameters
    ----------
    headers : sequence of Dataset
        Of one file, or of single frames in their order.
    frames : int
        Number of frames.
    calibrated_mm : tuple of float or None
        Height and width of a pixel, as the ultrasound region states them.
    path : Path
        For errors.

    Raises
    ------
    InputError
        If frames lie at unequal distances.
    """
    header = headers[0]
    notices: list[str] = []
    size, source = _pixel_size(headers, calibrated_mm, notices)
    axes = _orientation(header)
    # The axes of a volume are those of the transducer's sweep, not of the patient.
    is_oriented = _orientation(header, of_volume=False) is not None
    row_axis, column_axis = axes if axes is not None else np.eye(3)[:2]
    normal = np.cross(row_axis, column_axis)
    positions = _positions(headers, frames)
    is_fan = _is_fan(headers, frames)
    if is_fan:
        notices.append(TURNED)
    distance = None
    if positions is not None and not is_fan:
        distance = _step(positions, normal, path)
    if size is None:
        notices.append(NO_PIXEL_SIZE)
        # The distance of the frames is kept for the day somebody states the size.
        known = 1.0 if distance is None else float(np.linalg.norm(distance))
        return Place(np.diag([-1.0, -1.0, known, 1.0]), False, False, notices)
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1] = row_axis * size[1], column_axis * size[0]
    metadata: dict[str, Any] = {"pixel_size_from": source}
    if distance is not None:
        lps[:3, 2] = distance
    else:
        stated_mm = None if is_fan else _slice_distance(header)
        lps[:3, 2] = normal * (stated_mm or 1.0)
        if frames > 1 and (stated_mm is None or is_fan):
            notices += [] if is_fan else [NO_FRAME_DISTANCE]
            metadata["frame_distance"] = UNKNOWN
    if positions is not None and axes is not None:
        lps[:3, 3] = positions[0]
    affine = np.eye(4)
    affine[:3] = _RAS @ lps[:3]
    return Place(affine, True, is_oriented, notices, metadata)


def stated_lengths(header: Any) -> dict[str, tuple[float, ...]]:
    """Return the lengths in mm that a file states, by keyword.

    Returns
    -------
    dict of str to tuple of float
        Pixel sizes (height, width) and ``SpacingBetweenSlices``, of the whole file or
        of its first frame; finite numbers, whatever their sign.
    """
    holders = (header, _group(header, "PixelMeasuresSequence"))
    found: dict[str, tuple[float, ...]] = {}
    for holder in holders:
        if holder is None:
            continue
        for keyword in _SPACINGS:
            pair = numbers(holder, keyword, 2)
            if pair is not None:
                found.setdefault(keyword, pair)
        distance = number(holder, "SpacingBetweenSlices")
        if distance is not None:
            found.setdefault("SpacingBetweenSlices", (distance,))
    return found


def _pixel_size(
    headers: Sequence[Any],
    calibrated_mm: tuple[float, float] | None,
    notices: list[str],
) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size and the element that states it, with what contradicts."""
    header = headers[0]
    found: dict[str, tuple[float, float]] = {}
    if calibrated_mm is not None:
        found["the ultrasound region"] = calibrated_mm
    measures = _group(header, "PixelMeasuresSequence")
    for keyword in _SPACINGS:
        holder = header
        if keyword == "PixelSpacing" and value_of(header, keyword) is None:
            holder = measures
        if holder is None or value_of(holder, keyword) is None:
            continue
        size = numbers(holder, keyword, 2)
        if size is None or min(size) <= 0:
            words = "no numbers" if size is None else f"{size[0]:g} × {size[1]:g}"
            notices.append(
                f"The file's {keyword} holds {words} instead of two lengths above 0. "
                "It was not used."
            )
            continue
        found[keyword] = (size[0], size[1])
    if not found:
        return None, ""
    source, size = next(iter(found.items()))
    others = [f"{name} {_mm(s)}" for name, s in found.items() if _differ(size, s)]
    if others:
        notices.append(
            f"The file states several pixel sizes: {_mm(size)} by {source} was taken, "
            f"against {', '.join(others)}. Check which one is true."
        )
    elif source in _SPACINGS[1:]:
        notices.append(
            f"The pixel size {_mm(size)} is the file's {source}, which need not be "
            "that in the patient."
        )
    elif source == "PixelSpacing" and str(value_of(header, "Modality")) in (
        "US",
        "IVUS",
    ):
        notices.append(f"The pixel size {_mm(size)} is the file's PixelSpacing.")
    if any(_differ(size, s) for s in _own_sizes(headers[1:], source)):
        notices.append("The frames state different pixel sizes; none was used.")
        return None, ""
    return size, source


def _own_sizes(headers: Sequence[Any], source: str) -> list[tuple[float, float]]:
    if source not in _SPACINGS:
        return []
    sizes = [numbers(header, source, 2) for header in headers]
    return [(size[0], size[1]) for size in sizes if size is not None]


def _differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    pairs = zip(one, other, strict=True)
    return any(abs(a - b) > _DIFFERS * max(a, b) for a, b in pairs)


def _mm(size: tuple[float, float]) -> str:
    if not _differ(size, size[::-1]):
        return f"{size[0]:.4g} mm"
    return f"{size[0]:.4g} × {size[1]:.4g} mm"


def _group(header: Any, keyword: str, frame: int = 0) -> Any:
    """Return an item of the functional groups of a frame, None where there is none."""
    own = items(header, "PerFrameFunctionalGroupsSequence")
    shared = items(header, "SharedFunctionalGroupsSequence")
    for group in [*own[frame : frame + 1], *shared[:1]]:
        found = items(group, keyword)
        if found:
            return found[0]
    return None


def _is_fan(headers: Sequence[Any], frames: int) -> bool:
    """Return whether frames are known to be turned against each other."""
    if len(headers) > 1:
        stated_by = [_orientation(header) for header in headers]
    elif frames > 1 and items(headers[0], "PerFrameFunctionalGroupsSequence"):
        stated_by = [_orientation(headers[0], frame) for frame in range(frames)]
    else:
        return False
    known = [axes for axes in stated_by if axes is not None]
    return any(np.abs(axes - known[0]).max() > 1e-3 for axes in known[1:])


def _orientation(
    header: Any, frame: int = 0, *, of_volume: bool = True
) -> NDArray[np.float64] | None:
    """Return the directions in which columns and rows run, in LPS.

    Where the patient's are not stated, those in the frame of an ultrasound volume count
    with ``of_volume``.
    """
    stated_by = [
        (header, "ImageOrientationPatient"),
        (_group(header, "PlaneOrientationSequence", frame), "ImageOrientationPatient"),
    ]
    if of_volume:
        holder = _group(header, "PlaneOrientationVolumeSequence", frame)
        stated_by.append((holder, "ImageOrientationVolume"))
    for holder, keyword in stated_by:
        six = None if holder is None else numbers(holder, keyword, 6)
        if six is None:
            continue
        axes = np.reshape(six, (2, 3))
        lengths = np.linalg.norm(axes, axis=1)
        if (np.abs(lengths - 1) < 1e-2).all() and abs(axes[0] @ axes[1]) < 1e-2:
            axes = axes / lengths[:, np.newaxis]
            axes[1] -= (axes[0] @ axes[1]) * axes[0]
            axes[1] /= np.linalg.norm(axes[1])
            return axes
    return None


def _positions(headers: Sequence[Any], frames: int) -> NDArray[np.float64] | None:
    """Return the first pixel of every frame in LPS, None where one states none."""
    if len(headers) > 1:
        found = [numbers(h, "ImagePositionPatient", 3) for h in headers]
    elif frames == 1 and value_of(headers[0], "ImagePositionPatient") is not None:
        found = [numbers(headers[0], "ImagePositionPatient", 3)]
    else:
        found = [_frame_position(headers[0], frame) for frame in range(frames)]
    if any(position is None for position in found):
        return None
    return np.array(found, dtype=np.float64)


def _frame_position(header: Any, frame: int) -> tuple[float, ...] | None:
    for group, keyword in (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PlanePositionVolumeSequence", "ImagePositionVolume"),
    ):
        holder = _group(header, group, frame)
        if holder is not None:
            return numbers(holder, keyword, 3)
    return None


def _step(
    positions: NDArray[np.float64], normal: NDArray[np.float64], path: Path
) -> NDArray[np.float64] | None:
    """Return the way from one frame to the next, None where they lie in one place."""
    if len(positions) == 1:
        return None
    step: NDArray[np.float64] = (positions[-1] - positions[0]) / (len(positions) - 1)
    way = np.diff(positions, axis=0)
    lengths = np.linalg.norm(way, axis=1)
    if lengths.max() < 1e-6:
        return None
    length = float(np.linalg.norm(step))
    if np.linalg.norm(way - step, axis=1).max() > 0.01 * length + 1e-3 or not length:
        raise InputError(
            "The frames of a DICOM scan must lie at equal distances; got steps of "
            f"{lengths.min():.3g} to {lengths.max():.3g} mm in {path.name}. Export the "
            "series again, whole.",
            plain=f"Frames seem to be missing between those in {path.name}: their "
            "distances differ. Export the series again, whole.",
        )
    along = float(step @ normal)
    if abs(along) < 0.1 * length:
        return None  # frames beside each other make no grid
    if abs(along) > (1 - 1e-6) * length:
        step = normal * along
    return step


def _slice_distance(header: Any) -> float | None:
    for holder in (header, _group(header, "PixelMeasuresSequence")):
        stated_mm = None if holder is None else number(holder, "SpacingBetweenSlices")
        if stated_mm is not None and stated_mm > 0:
            return stated_mm
    return None
