"""Disputed regions: the connected parts in which two annotators differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.compare.stretches import split_stretches
from napari_microus.core.compare.surfaces import crop_to, signed_distance_mm
from napari_microus.core.disagreement import (
    EXPERT_ONLY,
    NONEXPERT_ONLY,
    disputed,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray


_REGIONS_AT_ONCE = 100


class RankBy(StrEnum):
    """What makes a disputed region come first."""

    contour_distance = "contour_distance"
    area = "area"
    extent = "extent"


@dataclass(frozen=True, eq=False)
class DisputedRegion:
    """One connected part of the XOR.

    Attributes
    ----------
    number : int
        Rank, beginning with 1.
    box : tuple of slice
        Frames, rows and columns around the region.
    mask : ndarray of bool
        The region inside ``box``.
    frame : int
        Frame in which the region is widest.
    distance_mm : float
        Largest distance between the two contours; infinite where only one
        annotator drew in that frame.
    area_mm2 : float
        Largest area in one frame.
    pixels : int
        Pixels in all frames.
    extent_mm : float
        Longest edge of the box inside a frame.
    frames : int
        How many frames it runs through.
    drawn_by : str
        ``"expert"``, ``"nonexpert"`` or ``"both"`` in turns.
    """

    number: int
    box: tuple[slice, slice, slice]
    mask: NDArray[np.bool_]
    frame: int
    distance_mm: float
    area_mm2: float
    pixels: int
    extent_mm: float
    frames: int
    drawn_by: str

    @property
    def centre(self) -> tuple[int, float, float]:
        """Frame, row and column in the middle of the region, to look at."""
        y, x = self.box[1:]
        return self.frame, (y.start + y.stop - 1) / 2, (x.start + x.stop - 1) / 2


def disputed_regions(
    codes: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    *,
    through_frames: bool = False,
    stretches: bool = False,
    rank_by: RankBy = RankBy.contour_distance,
    smallest_px: int = 1,
) -> Generator[Event, None, list[DisputedRegion]]:
    """Find, measure and rank the connected parts of the disagreement.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        A `disagreement_map`.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    through_frames : bool
        Join parts that touch in neighbouring frames. Pixels touch by an edge.
    stretches : bool
        Split rings round the gland into stretches of boundary; see
        `stretches.split_stretches`. Not together with ``through_frames``.
    rank_by : RankBy
        Largest first; ties keep the order of the frames.
    smallest_px : int
        Leave out regions of fewer pixels.

    Yields
    ------
    Progress
        Frames measured.

    Raises
    ------
    InputError
        If both ``through_frames`` and ``stretches`` are asked for.
    """
    if through_frames and stretches:
        raise InputError(
            "Regions must be joined through frames or split into stretches; got both. "
            "Choose one.",
            plain=(
                "Regions are either joined through frames or split into stretches. "
                "Choose one."
            ),
        )
    box = yield from _box_around(codes)
    if box is None:
        return []
    pixel_mm = spacing_mm[2] if stretches else None
    labels, number = yield from _labelled(codes[box], through_frames, pixel_mm)
    found = _Measures(number + 1)
    origin = [part.start for part in box]
    total = labels.shape[0]
    for index, plane in enumerate(labels):
        frame = origin[0] + index
        if plane.any():
            found.add_frame(frame, plane, codes[frame], box[1:], spacing_mm[1:])
        yield Progress(index + 1, total, message="Measuring disputed regions")
    boxes = ndi.find_objects(labels)
    regions = []
    for label, local in enumerate(boxes, start=1):
        mask = labels[local] == label
        pixels = int(mask.sum())
        if pixels >= smallest_px:
            regions.append(found.region(label, local, mask, origin, spacing_mm))
        if label % _REGIONS_AT_ONCE == 0:
            yield Progress(label, number, "regions", "Listing disputed regions")
    return _ranked(regions, rank_by)


def _box_around(
    codes: NDArray[np.uint8],
) -> Generator[Event, None, tuple[slice, slice, slice] | None]:
    """Return the smallest box around the disagreement, None if there is none."""
    hits = [np.zeros(size, bool) for size in codes.shape]
    for number, frame in enumerate(codes):
        here = disputed(frame)
        hits[1] |= here.any(axis=1)
        hits[2] |= here.any(axis=0)
        hits[0][number] = here.any()
        yield Progress(number + 1, len(codes), message="Finding disputed regions")
    ends = [np.flatnonzero(axis)[[0, -1]] for axis in hits if axis.any()]
    if not ends:
        return None
    z, y, x = (slice(int(first), int(last) + 1) for first, last in ends)
    return z, y, x


def _labelled(
    codes: NDArray[np.uint8], through_frames: bool, stretches_mm: float | None
) -> Generator[Event, None, tuple[NDArray[np.int32], int]]:
    """Number the parts frame by frame; return labels and their number.

    With ``stretches_mm``, the width of a pixel, rings are split.
    """
    labels = np.zeros(codes.shape, np.int32)
    number = 0
    touching = [np.empty((0, 2), np.int32)]
    for index, plane in enumerate(labels):
        parts = ndi.label(disputed(codes[index]), output=plane)
        if stretches_mm is not None and parts:
            plane[...] = split_stretches(plane, codes[index], stretches_mm)
            parts = int(plane.max())
        np.add(plane, number, out=plane, where=plane > 0)
        number += parts
        if through_frames and index:
            both = (plane > 0) & (labels[index - 1] > 0)
            pairs = np.stack([labels[index - 1][both], plane[both]], axis=1)
            touching.append(np.unique(pairs, axis=0))
        yield Progress(index + 1, len(codes), message="Finding disputed regions")
    if through_frames:
        joined, number = _joined(number, np.concatenate(touching))
        for index, plane in enumerate(labels):
            plane[...] = joined[plane]
            yield Progress(index + 1, len(codes), message="Joining regions")
    return labels, number


def _joined(number: int, pairs: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Return the new label of each old one, 0 included, and how many there are."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = number + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (size, size))
    # Background is a part of its own and the first: it stays 0.
    parts, joined = connected_components(graph, directed=False)
    return joined.astype(np.int32), parts - 1


def _ranked(regions: list[DisputedRegion], rank_by: RankBy) -> list[DisputedRegion]:
    keys = {
        RankBy.contour_distance: lambda r: (r.distance_mm, r.area_mm2),
        RankBy.area: lambda r: (r.area_mm2, r.pixels),
        RankBy.extent: lambda r: (r.frames, r.extent_mm),
    }
    ordered = sorted(regions, key=keys[rank_by], reverse=True)
    return [_numbered(region, n) for n, region in enumerate(ordered, start=1)]


def _numbered(region: DisputedRegion, number: int) -> DisputedRegion:
    values: dict[str, Any] = {**vars(region), "number": number}
    return DisputedRegion(**values)


class _Measures:
    """What is known of each label while the frames go by."""

    def __init__(self, size: int) -> None:
        self.distance = np.zeros(size)
        self.area_px = np.zeros(size, np.int64)
        self.frame = np.zeros(size, np.int64)
        self.frames = np.zeros(size, np.int64)
        self.expert = np.zeros(size, bool)
        self.nonexpert = np.zeros(size, bool)

    def add_frame(
        self,
        frame: int,
        plane: NDArray[np.int32],
        codes: NDArray[np.uint8],
        box: tuple[slice, ...],
        spacing_mm: tuple[float, float],
    ) -> None:
        """Measure the regions of one frame; ``plane`` is ``codes`` cut to ``box``."""
        inside = codes[box]
        between = _contour_distance(codes, box, spacing_mm)
        labels, areas = np.unique(plane[plane > 0], return_counts=True)
        distance = np.asarray(ndi.maximum(between, plane, labels))
        wider = areas > self.area_px[labels]
        self.frame[labels[wider]] = frame
        self.area_px[labels] = np.maximum(self.area_px[labels], areas)
        self.distance[labels] = np.maximum(self.distance[labels], distance)
        self.frames[labels] += 1
        self.expert[plane[inside == EXPERT_ONLY]] = True
        self.nonexpert[plane[inside == NONEXPERT_ONLY]] = True

    def region(
        self,
        label: int,
        local: tuple[slice, ...],
        mask: NDArray[np.bool_],
        origin: list[int],
        spacing_mm: tuple[float, float, float],
    ) -> DisputedRegion:
        """Return label ``label`` as a region in the whole array's indices."""
        z, y, x = (
            slice(part.start + start, part.stop + start)
            for part, start in zip(local, origin, strict=True)
        )
        extent = max(
            (part.stop - part.start) * size
            for part, size in zip((y, x), spacing_mm[1:], strict=True)
        )
        by_expert, by_nonexpert = self.expert[label], self.nonexpert[label]
        drawn_by = "both" if by_expert and by_nonexpert else "nonexpert"
        return DisputedRegion(
            number=0,
            box=(z, y, x),
            mask=mask,
            frame=int(self.frame[label]),
            distance_mm=float(self.distance[label]),
            area_mm2=float(self.area_px[label]) * spacing_mm[1] * spacing_mm[2],
            pixels=int(mask.sum()),
            extent_mm=extent,
            frames=int(self.frames[label]),
            drawn_by=drawn_by if by_nonexpert else "expert",
        )


def _contour_distance(
    codes: NDArray[np.uint8], box: tuple[slice, ...], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Return, for every disputed pixel of ``box``, how far the other's contour is.

    Distances run inside the box around everything drawn in the frame, which holds
    both contours.
    """
    drawn = (codes > 0) & (codes <= NONEXPERT_ONLY)
    around = crop_to(drawn)
    if around is None:
        raise AssertionError("a frame with regions has drawn pixels")
    inside = codes[around]
    shared = inside == 1
    expert = signed_distance_mm(shared | (inside == EXPERT_ONLY), spacing_mm)
    nonexpert = signed_distance_mm(shared | (inside == NONEXPERT_ONLY), spacing_mm)
    full = np.zeros(codes.shape)
    full[around] = np.where(
        inside == NONEXPERT_ONLY,
        np.abs(expert),
        np.where(inside == EXPERT_ONLY, np.abs(nonexpert), 0),
    )
    cut = full[box]
    return np.where(np.isnan(cut), math.inf, cut)
