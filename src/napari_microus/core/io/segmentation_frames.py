"""Which frame of its scan each frame of a DICOM Segmentation belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.io.dicom_header import (
    frame_count,
    items,
    number,
    numbers,
    pydicom,
    value_of,
)
from napari_microus.core.io.dicom_size import stated_lengths
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

# Positions that differ by less, in mm, are one.
_SAME_MM = 1e-3
# Of a step: how far a position may lie beside the grid.
_BESIDE = 0.05
# No scan has more frames; a larger number is damage.
_MOST_FRAMES = 1 << 16

_Lengths = dict[str, tuple[float, ...]]
_Plane = tuple[tuple[float, ...], tuple[float, ...]]  # position, orientation


@dataclass(frozen=True)
class Arranged:
    """The order of the frames.

    Parameters
    ----------
    index : list of int
        For each stored frame, the frame of the scan.
    count : int
        Frames of the scan, as far as the file states.
    planes : list of Dataset
        Place and pixel size of each frame of the scan; one for all where they have no
        place of their own. For `dicom_size.place_of`.
    is_pixel_by_pixel : bool
        Whether the frames have no place in the patient, and each is a frame of the
        scan, pixel by pixel.
    """

    index: list[int]
    count: int
    planes: list[Any]
    is_pixel_by_pixel: bool


def arrange(header: Any, path: Path) -> Arranged:
    """Return where the frames of a segmentation belong.

    By their positions where they lie parallel in the patient; else by the frames of
    the scan that they name; else as they come.

    Raises
    ------
    InputError
        If the file states more frames than there can be.
    """
    groups = _groups(header)
    placed = [_plane(header, group) for group in groups]
    known = [plane for plane in placed if plane is not None]
    lengths = stated_lengths(header)
    if len(known) == len(groups) and _is_parallel(known):
        arranged = _by_position(known, lengths)
        if arranged is not None:
            return _checked(arranged, path)
    referred = _by_reference(header, groups)
    index, count = referred or _as_they_come(groups)
    whole: list[Any] = [None] * count if 0 < count <= _MOST_FRAMES else []
    for k, plane in zip(index, placed, strict=True):
        if 0 <= k < len(whole):
            whole[k] = plane
    planes = [_dataset(plane, lengths) for plane in whole]
    has_places = bool(known) and None not in whole
    if not has_places:
        planes = [_dataset(None, lengths)]
    by_pixel = referred is not None and not has_places
    return _checked(Arranged(index, count, planes, by_pixel), path)


def _checked(arranged: Arranged, path: Path) -> Arranged:
    is_inside = 0 <= min(arranged.index) and max(arranged.index) < arranged.count
    if not is_inside or arranged.count > _MOST_FRAMES:
        raise damaged(path, "DICOM Segmentation", "its frames have no order")
    return arranged


def _groups(header: Any) -> list[list[Any]]:
    """Return the functional groups of each frame, its own before the shared ones."""
    own = items(header, "PerFrameFunctionalGroupsSequence")
    shared = items(header, "SharedFunctionalGroupsSequence")[:1]
    return [[*own[k : k + 1], *shared] for k in range(frame_count(header))]


def _first(groups: Sequence[Any], keyword: str) -> Any:
    for group in groups:
        found = items(group, keyword)
        if found:
            return found[0]
    return None


def _plane(header: Any, groups: Sequence[Any]) -> _Plane | None:
    place = _first(groups, "PlanePositionSequence")
    turned = _first(groups, "PlaneOrientationSequence")
    if (
        place is None
        or turned is None
        or value_of(header, "FrameOfReferenceUID") is None
    ):
        return None
    position = numbers(place, "ImagePositionPatient", 3)
    orientation = numbers(turned, "ImageOrientationPatient", 6)
    if position is None or orientation is None:
        return None
    return position, orientation


def _is_parallel(planes: Sequence[_Plane]) -> bool:
    turned = np.array([orientation for _, orientation in planes])
    return bool(np.abs(turned - turned[0]).max() <= 1e-3)


def _dataset(plane: _Plane | None, lengths: _Lengths) -> Any:
    dataset = pydicom().Dataset()
    for keyword, value in lengths.items():
        setattr(dataset, keyword, list(value) if len(value) > 1 else value[0])
    if plane is not None:
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = map(list, plane)
    return dataset


def _by_position(planes: Sequence[_Plane], lengths: _Lengths) -> Arranged | None:
    """Put parallel frames on a grid of equal steps, with room for what is left out.

    None where all lie in one place.
    """
    orientation = planes[0][1]
    positions = np.array([position for position, _ in planes])
    normal = np.cross(orientation[:3], orientation[3:])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    new = np.diff(along[order], prepend=-np.inf) > _SAME_MM
    rank = np.empty(len(along), int)
    rank[order] = np.cumsum(new) - 1
    levels = along[order][new]
    if len(levels) == 1:
        return None if len(planes) > 1 else _laid([0], positions, orientation, lengths)
    steps = _steps(levels, lengths)
    if steps is None:  # unequal: `place_of` says so
        steps = np.arange(len(levels))
    index = steps[rank]
    first, last = positions[order[0]], positions[order[-1]]
    way = np.linspace(0, 1, int(index.max()) + 1)[:, np.newaxis]
    places = first + way * (last - first)
    if len(levels) == len(places):
        places = positions[order[new]]
    return _laid([int(k) for k in index], places, orientation, lengths)


def _laid(
    index: list[int],
    places: NDArray[np.float64],
    orientation: tuple[float, ...],
    lengths: _Lengths,
) -> Arranged:
    planes = [_dataset((tuple(place), orientation), lengths) for place in places]
    return Arranged(index, len(planes), planes, False)


def _steps(levels: NDArray[np.float64], lengths: _Lengths) -> NDArray[np.int_] | None:
    """Return levels as whole numbers of steps, None where they are on no grid."""
    gaps = np.diff(levels)
    candidates = [*lengths.get("SpacingBetweenSlices", ()), float(gaps.min())]
    for step in candidates:
        if not step > _SAME_MM:
            continue
        counted = (levels - levels[0]) / step
        whole = np.rint(counted)
        is_grid = np.abs(counted - whole).max() < _BESIDE and whole[-1] < _MOST_FRAMES
        if is_grid and (np.diff(whole) > 0).all():
            return whole.astype(int)
    return None


def _by_reference(
    header: Any, groups: Sequence[Sequence[Any]]
) -> tuple[list[int], int] | None:
    """Order frames by the frames or files of the scan that they were drawn on."""
    sources = [_source(group) for group in groups]
    if not sources or None in sources:
        return None
    files = {source[0] for source in sources if source is not None}
    counted = [source[1] for source in sources if source is not None]
    if len(files) == 1 and None not in counted:
        index = [int(value or 0) - 1 for value in counted]
        return index, max(index) + 1
    listed = [
        str(value_of(instance, "ReferencedSOPInstanceUID"))
        for series in items(header, "ReferencedSeriesSequence")
        for instance in items(series, "ReferencedInstanceSequence")
    ]
    listed = list(dict.fromkeys(listed))
    if not files <= set(listed):
        return None
    order = {uid: k for k, uid in enumerate(listed)}
    return [order[source[0]] for source in sources if source], len(listed)


def _source(groups: Sequence[Any]) -> tuple[str, float | None] | None:
    for group in groups:
        for derived in items(group, "DerivationImageSequence"):
            for image in items(derived, "SourceImageSequence"):
                uid = value_of(image, "ReferencedSOPInstanceUID")
                if uid is not None:
                    return str(uid), number(image, "ReferencedFrameNumber")
    return None


def _as_they_come(groups: Sequence[Sequence[Any]]) -> tuple[list[int], int]:
    """Count the frames of each segment."""
    seen: dict[Any, int] = {}
    index = []
    for group in groups:
        named = _first(group, "SegmentIdentificationSequence")
        segment = None if named is None else number(named, "ReferencedSegmentNumber")
        index.append(seen.get(segment, 0))
        seen[segment] = index[-1] + 1
    return index, max(seen.values())
