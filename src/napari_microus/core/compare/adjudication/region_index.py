"""Find the disputed regions of a scan by number, frame or pixel."""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.adjudication.run_lengths import (
    decode_runs,
    encode_runs,
    flat_indices,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.compare.adjudication.adjudicated_mask import Box
    from napari_microus.core.compare.regions import DisputedRegion

# More regions are found faster by their runs.
_FEW = 50


class RegionIndex:
    """Disputed regions, in the order of work.

    Parameters
    ----------
    regions : sequence of DisputedRegion
        Each with a number of its own.
    shape : tuple of int
        Shape (Z, Y, X) of the scan.
    """

    def __init__(
        self, regions: Sequence[DisputedRegion], shape: tuple[int, ...]
    ) -> None:
        self._regions = regions
        self._shape = shape

    def __getitem__(self, number: int) -> DisputedRegion:
        """Return the region of this number."""
        return self._by_number[number]

    @cached_property
    def runs(self) -> list[list[int]]:
        """The pixels of each region as runs, in the order of the regions."""
        return [encode_runs(r.mask, r.box, self._shape) for r in self._regions]

    def pixels_of(self, regions: Sequence[DisputedRegion]) -> NDArray[np.int64]:
        """Return the flat indices of all pixels of regions."""
        if len(regions) < _FEW:
            return np.concatenate(
                [flat_indices(r.mask, r.box, self._shape) for r in regions]
            )
        runs = chain.from_iterable(self._runs_by_number[r.number] for r in regions)
        pairs = np.fromiter(runs, np.int64).reshape(-1, 2)
        ordered = pairs[np.argsort(pairs[:, 0])]
        return decode_runs(ordered.ravel(), self._shape)

    def in_frames(self, frames: slice) -> list[DisputedRegion]:
        """Return the regions with pixels in any of these frames, by number."""
        found = {
            region.number: region
            for frame in range(*frames.indices(self._shape[0]))
            for region in self._by_frame.get(frame, ())
        }
        return [found[number] for number in sorted(found)]

    def touched(
        self, box: Box, inside: NDArray[np.bool_]
    ) -> tuple[dict[int, int], NDArray[np.bool_]]:
        """Return how many pixels of each region are meant, and all of them.

        Disputed pixels of no listed region are left out.
        """
        start, stop, _ = box[0].indices(self._shape[0])
        marked = np.zeros((stop - start, *self._shape[1:]), bool)
        marked[(slice(None), *box[1:])] = inside
        listed = np.zeros_like(marked)
        found = {}
        for region in self.in_frames(box[0]):
            z = region.box[0]
            low, high = max(z.start, start), min(z.stop, start + len(marked))
            part = (slice(low - start, high - start), *region.box[1:])
            here = marked[part] & region.mask[low - z.start : high - z.start]
            if here.any():
                found[region.number] = int(here.sum())
                listed[part] |= here
        return found, listed[(slice(None), *box[1:])]

    @cached_property
    def _by_number(self) -> dict[int, DisputedRegion]:
        return {region.number: region for region in self._regions}

    @cached_property
    def _by_frame(self) -> dict[int, list[DisputedRegion]]:
        found: dict[int, list[DisputedRegion]] = {}
        for region in self._regions:
            for frame in range(region.box[0].start, region.box[0].stop):
                found.setdefault(frame, []).append(region)
        return found

    @cached_property
    def _runs_by_number(self) -> dict[int, list[int]]:
        numbers = (region.number for region in self._regions)
        return dict(zip(numbers, self.runs, strict=True))


def box_around(regions: Sequence[DisputedRegion]) -> Box:
    """Return the box around regions."""
    z, y, x = (
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*(region.box for region in regions), strict=True)
    )
    return z, y, x
