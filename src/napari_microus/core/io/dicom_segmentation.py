"""Read a DICOM Segmentation as labels on the grid of the scan that it was drawn on.

Its frames come in any order, segment by segment, and empty ones may be left out.

References
----------
.. [1] DICOM PS3.3, A.51 Segmentation IOD; A.51.5.1 and C.8.20.2.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import (
    SEGMENTATIONS,
    frame_count,
    frame_shape,
    is_segmentation,
    items,
    number,
    read_header,
    value_of,
)
from napari_microus.core.io.dicom_pixels import stored_frames
from napari_microus.core.io.dicom_regions import choose_cut
from napari_microus.core.io.dicom_size import place_of
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.io.segmentation_frames import arrange
from napari_microus.core.mask import value_of_label
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.io.dicom_regions import Cut, RegionChoice

_LABEL_MAP = SEGMENTATIONS[1]

#: What we are called in the files that we write.
PRODUCT = "napari-microus"
_PARAMETERS = ("weights_sha256", "package")


@dataclass(frozen=True)
class _Segments:
    """The segments that are read: their names by number, and how values are stored."""

    names: dict[int, str]
    is_label_map: bool
    background: int
    top: int  # the value of a probability of 1; 0 where there are none


def read_segmentation(
    path: Path,
    header: Any,
    *,
    region: RegionChoice = "crop",
    segment: int | str | None = None,
) -> Volume:
    """Return a DICOM Segmentation as labels.

    Parameters
    ----------
    path : Path
        The file.
    header : Dataset
        Of the file, see `dicom_header.read_header`.
    region : {"crop", "mask", "whole"} or int
        As for its scan, see `dicom.read_dicom`. Where something was drawn outside
        the region, all is read.
    segment : int or str, optional
        Number or name of the one segment to read.

    Returns
    -------
    Volume
        A segment's pixels hold its number; of fractional segmentations, float32 of 0
        to 1. ``metadata`` holds ``is_segmentation``; ``labels``, the names by
        number; ``pixel_by_pixel`` where a frame has no place in the patient and is
        the one of its scan, pixel by pixel.

    Raises
    ------
    InputError
        If there is no such segment, fractional segments lie in one file and none was
        chosen, or the file is damaged.
    """
    segments = _chosen(_segments(header, path), segment, path)
    cut = choose_cut(header, region, path)
    arranged = arrange(header, path)
    whole, notices = _pixels(path, header, segments, arranged.index, arranged.count)
    beyond = _outside(whole, cut)
    if beyond:
        notices.append(
            f"{beyond} pixels were drawn outside the region of tissue; all of the "
            "picture was read."
        )
        cut = choose_cut(header, "whole", path)
    place = place_of(arranged.planes, arranged.count, cut.pixel_mm, path)
    affine = place.affine.copy()
    row, column = cut.start
    affine[:3, 3] += affine[:3, 0] * column + affine[:3, 1] * row
    array = whole
    if not cut.is_masked:
        array = whole[:, slice(*cut.rows), slice(*cut.columns)]
    metadata = {
        **place.stated,
        **cut.stated,
        "is_segmentation": True,
        "labels": segments.names,
        "notices": [*cut.notices, *place.notices, *notices],
    }
    if arranged.is_pixel_by_pixel:
        metadata["pixel_by_pixel"] = True
    return Volume(
        array, affine, place.has_geometry, metadata, is_oriented=place.is_oriented
    )


def segmentation_provenance(path: Path) -> dict[str, Any]:
    """Return who drew a DICOM Segmentation of ours, {} for any other file.

    The headers of others are left alone: what they call an algorithm may be anything.
    """
    header = read_header(path)
    ours = str(value_of(header, "Manufacturer")) == PRODUCT and is_segmentation(header)
    segments = items(header, "SegmentSequence") if ours else []
    if not segments:
        return {}
    how = str(value_of(segments[0], "SegmentAlgorithmType")).lower()
    made: dict[str, Any] = {"task": "segment", "drawn": how}
    for item in items(segments[0], "SegmentationAlgorithmIdentificationSequence"):
        made["model"] = str(value_of(item, "AlgorithmName"))
        made["model_version"] = str(value_of(item, "AlgorithmVersion"))
        parameters = str(value_of(item, "AlgorithmParameters") or "").split(",")
        pairs = [pair.partition("=") for pair in parameters if "=" in pair]
        made |= {key: value for key, _, value in pairs if key in _PARAMETERS}
    return made


def _segments(header: Any, path: Path) -> _Segments:
    is_label_map = str(value_of(header, "SOPClassUID")) == _LABEL_MAP
    padding = number(header, "PixelPaddingValue")
    background = int(padding or 0)
    names: dict[int, str] = {}
    for item in items(header, "SegmentSequence"):
        value = number(item, "SegmentNumber")
        if value is None or (is_label_map and value == background):
            continue
        kinds = items(item, "SegmentedPropertyTypeCodeSequence")
        meaning = value_of(kinds[0], "CodeMeaning") if kinds else None
        names[int(value)] = str(value_of(item, "SegmentLabel") or meaning or "no name")
    if not names:
        raise damaged(path, "DICOM Segmentation", "it lists no segment")
    is_fractional = str(value_of(header, "SegmentationType")) == "FRACTIONAL"
    top = int(number(header, "MaximumFractionalValue") or 255) if is_fractional else 0
    return _Segments(names, is_label_map, background, top)


def _chosen(segments: _Segments, wanted: int | str | None, path: Path) -> _Segments:
    named = ", ".join(f"{n} ({name})" for n, name in sorted(segments.names.items()))
    if wanted is None:
        if segments.top and len(segments.names) > 1:
            raise InputError(
                f"One of several fractional segments must be chosen; got {named} in "
                f"{path.name}. Choose one of them as the label.",
                plain=(
                    f"{path.name} holds more than one segment: {named}. Choose "
                    "which one is the prostate."
                ),
            )
        return segments
    chosen = value_of_label(wanted, segments.names)
    found = {n: name for n, name in segments.names.items() if n == chosen}
    if not found:
        raise InputError(
            f"The label must be one of the segments; got {wanted}, and {path.name} "
            f"holds {named}. Choose one of those.",
            plain=(
                f"{path.name} has no segment {wanted}; it holds {named}. Choose one "
                "of those."
            ),
        )
    return _Segments(found, segments.is_label_map, segments.background, segments.top)


def _pixels(
    path: Path, header: Any, segments: _Segments, index: list[int], count: int
) -> tuple[NDArray[Any], list[str]]:
    """Return the frames in their order, (count, rows, columns), and notices."""
    shape = (count, *frame_shape(header))
    kind = np.uint8 if max(segments.names) < 256 else np.uint16
    # Zeros that nobody writes over take no memory.
    labels: NDArray[Any] = np.zeros(shape, np.float32 if segments.top else kind)
    number_of = _segment_numbers(header)
    overlap = 0
    with closing(stored_frames(path, header)) as frames:
        for k, frame in enumerate(frames):
            if frame.ndim != 2 or k >= len(index):
                raise damaged(path, "DICOM Segmentation")
            target = labels[index[k]]
            if segments.is_label_map:
                shown = np.isin(frame, list(segments.names))
                target[shown] = frame[shown]
                continue
            if number_of[k] not in segments.names:
                continue
            inside = frame != 0
            overlap += int(np.count_nonzero(target[inside]))
            value = frame[inside] / segments.top if segments.top else number_of[k]
            target[inside] = value
    if segments.top and np.isin(np.unique(labels), (0, 1)).all():
        # Fractions in name alone: a mask.
        value = next(iter(segments.names))
        labels = np.where(labels > 0, value, 0).astype(kind)
    notices = []
    if overlap:
        notices.append(
            f"Segments overlap in {overlap} pixels, which show the one that comes last "
            "in the file. Choose one segment as the label."
        )
    return labels, notices


def _segment_numbers(header: Any) -> list[int]:
    """Return the segment that each frame shows; 1 where none is stated."""
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    shared = items(header, "SharedFunctionalGroupsSequence")
    found = []
    for k in range(frame_count(header)):
        value = 1.0
        for group in (*groups[k : k + 1], *shared[:1]):
            named = items(group, "SegmentIdentificationSequence")
            if named:
                value = number(named[0], "ReferencedSegmentNumber") or 1.0
                break
        found.append(int(value))
    return found


def _outside(array: NDArray[Any], cut: Cut) -> int:
    """Return how many pixels are drawn outside of what is to be read."""
    inside = array[:, slice(*cut.rows), slice(*cut.columns)]
    if inside.shape == array.shape:
        return 0
    return sum(
        int(np.count_nonzero(all_) - np.count_nonzero(part))
        for all_, part in zip(array, inside, strict=True)
    )
