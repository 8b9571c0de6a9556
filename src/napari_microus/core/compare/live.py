"""Keep a disagreement map true while someone paints, box by box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.network_grid import network_hard_region
from napari_microus.core.disagreement import (
    count_codes,
    disagreement_map,
    disputed,
)
from napari_microus.core.hard_region import check_kernel_size, dilate
from napari_microus.core.mask import as_mask

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.events import Event


class LiveDisagreement:
    """A `disagreement_map` that is brought up to date where masks were touched.

    Parameters
    ----------
    expert, nonexpert : array-like, shape (Z, Y, X) or (Y, X)
        The masks as a viewer holds and changes them in place; what slicing them
        gives must convert to an ndarray.
    expert_value, nonexpert_value : int
        Value that means foreground in each.

    Attributes
    ----------
    codes : ndarray of uint8
        The map, always the same array: a viewer may show it.
    per_frame : ndarray of int, shape (Z, 5)
        Pixels of each code per frame, up to date.
    hard : ndarray of uint8 or None
        1 in the hard region, once `widen` was called.
    network_size : int or None
        Edge of the network's square on whose grid it was widened; None for the
        masks' own grid.
    """

    def __init__(
        self,
        expert: NDArray[Any],
        nonexpert: NDArray[Any],
        *,
        expert_value: int = 1,
        nonexpert_value: int = 1,
    ) -> None:
        self._masks = (expert, nonexpert)
        self._values = (expert_value, nonexpert_value)
        self.codes: NDArray[np.uint8] = np.zeros(expert.shape, np.uint8)
        self.per_frame = np.zeros((len(self._frames), 5), np.int64)
        self.per_frame[:, 0] = np.prod(expert.shape[-2:])
        self.hard: NDArray[np.uint8] | None = None
        self.kernel_size: int | tuple[int, int] = 1
        self.network_size: int | None = None

    @property
    def _frames(self) -> NDArray[np.uint8]:
        return self.codes if self.codes.ndim == 3 else self.codes[None]

    def replace_mask(self, position: int, mask: NDArray[Any]) -> None:
        """Watch another array as expert (0) or non-expert (1); then `update` all."""
        masks = list(self._masks)
        masks[position] = mask
        self._masks = (masks[0], masks[1])

    def update_all(self) -> Generator[Event, None, None]:
        """Compare every frame; yields after each."""
        from napari_microus.core.events import Progress

        total = len(self._frames)
        for frame in range(total):
            self.update((slice(frame, frame + 1),) if self.codes.ndim == 3 else ())
            yield Progress(frame + 1, total, message="Comparing masks")

    def update(self, box: Sequence[slice] = ()) -> tuple[slice, ...] | None:
        """Compare the masks again inside ``box``.

        Parameters
        ----------
        box : sequence of slice
            One per axis; missing ones mean the whole axis.

        Returns
        -------
        tuple of slice or None
            Where the pictures may have changed, the hard region's edge included;
            None if nothing has.
        """
        box = self._whole(box)
        old = self.codes[box]
        new = disagreement_map(
            np.asarray(self._masks[0][box]),
            np.asarray(self._masks[1][box]),
            expert_value=self._values[0],
            nonexpert_value=self._values[1],
        )
        if old.size == 0 or np.array_equal(old, new):
            return None
        frames = box[0] if self.codes.ndim == 3 else slice(0, 1)
        three = (-1, *old.shape[-2:])
        self.per_frame[frames] += count_codes(new.reshape(three)) - count_codes(
            old.reshape(three)
        )
        self.codes[box] = new
        return box if self.hard is None else self._widen_in(box)

    def widen(
        self, kernel_size: int | tuple[int, int], network_size: int | None = None
    ) -> Generator[Event, None, None]:
        """Keep the hard region for a ``kernel_size`` square from now on.

        With ``network_size`` the square is one of the network's pixels, as in the
        losses; else of the masks' own, which may also be a rectangle (height, width).
        """
        from napari_microus.core.events import Progress

        height, width = _edges(kernel_size)
        check_kernel_size(height)
        check_kernel_size(width)
        # From here on `update` widens too, so edits in between are not lost.
        hard = self.hard if self.hard is not None else np.zeros_like(self.codes)
        self.hard, self.kernel_size = hard, kernel_size
        self.network_size = network_size
        frames = hard if hard.ndim == 3 else hard[None]
        for number, codes in enumerate(self._frames):
            frames[number] = (
                dilate(disputed(codes), kernel_size)
                if network_size is None
                else self._network_frame(number)
            )
            yield Progress(number + 1, len(frames), message="Widening")

    def stop_widening(self) -> None:
        """Forget the hard region."""
        self.hard = None

    def _widen_in(self, box: tuple[slice, ...]) -> tuple[slice, ...]:
        assert self.hard is not None  # asked by the caller
        if self.network_size is not None:
            return self._widen_on_network(box)
        reach = _edges(self.kernel_size)
        inner = self._grown(box, reach)
        outer = self._grown(inner, reach)
        local = tuple(
            slice(part.start - around.start, part.stop - around.start)
            for part, around in zip(inner, outer, strict=True)
        )
        self.hard[inner] = dilate(disputed(self.codes[outer]), reach)[local]
        return inner

    def _widen_on_network(self, box: tuple[slice, ...]) -> tuple[slice, ...]:
        """Make whole frames again: a pixel of the network spans many of theirs."""
        assert self.hard is not None  # asked by the caller
        if self.codes.ndim == 2:
            self.hard[...] = self._network_frame(0)
            return self._whole(())
        for number in range(box[0].start, box[0].stop):
            self.hard[number] = self._network_frame(number)
        return self._whole(box[:1])

    def _network_frame(self, number: int) -> NDArray[np.uint8]:
        assert self.network_size is not None  # asked by the callers
        one, two = (
            as_mask(np.asarray(mask[number] if self.codes.ndim == 3 else mask), value)
            for mask, value in zip(self._masks, self._values, strict=True)
        )
        edge, _ = _edges(self.kernel_size)
        hard = network_hard_region(one[None], two[None], edge, self.network_size)
        return hard[0]

    def _grown(self, box: tuple[slice, ...], by: tuple[int, int]) -> tuple[slice, ...]:
        shape = self.codes.shape
        grown = [
            slice(max(0, part.start - more), min(size, part.stop + more))
            for part, size, more in zip(box[-2:], shape[-2:], by, strict=True)
        ]
        return (*box[:-2], *grown)

    def _whole(self, box: Sequence[slice]) -> tuple[slice, ...]:
        full = [*box, *[slice(None)] * (self.codes.ndim - len(box))]
        parts = []
        for part, size in zip(full, self.codes.shape, strict=True):
            start, stop, _ = part.indices(size)
            parts.append(slice(start, max(start, stop)))
        return tuple(parts)


def _edges(kernel_size: int | tuple[int, int]) -> tuple[int, int]:
    """Return height and width of what widens the disagreement."""
    if isinstance(kernel_size, tuple):
        return kernel_size
    return kernel_size, kernel_size
