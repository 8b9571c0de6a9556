"""The pixels of an adjudicated mask: what they hold, and who decided each."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.adjudication.run_lengths import (
    encode_runs,
    flat_indices,
)
from napari_microus.core.compare.adjudication.votes import (
    AGREED,
    BETWEEN,
    BETWEEN_INSIDE,
    HAND_DRAWN,
    coding_of,
)
from napari_microus.core.compare.surfaces import crop_to
from napari_microus.core.events import Progress, drain
from napari_microus.core.hard_region import dilate
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.events import Event

    Box = tuple[slice, slice, slice]
    Masks = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


class AdjudicatedMask:
    """A mask that begins with what all annotators agree on.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        The `disagreement_map` of two masks, or `vote_map` of more; kept as it is.
    annotators : int
        How many masks there are.
    start : tuple of three ndarray, optional
        What `first_masks` returned; taken over, not copied.
    """

    def __init__(
        self, codes: NDArray[np.uint8], annotators: int, start: Masks | None
    ) -> None:
        self.coding = coding_of(annotators)
        self.codes = codes
        # The source is who would have decided a pixel without hand drawing.
        start = start or drain(first_masks(codes, annotators))
        self.mask, self.provenance, self._source = start
        # What the mask held when it was last accounted for.
        self._seen = self.mask.copy()
        self._drawn: dict[int, dict[int, list[int]]] = {}

    def near_dispute(self, box: Box, margin_px: int) -> NDArray[np.bool_]:
        """Return where in ``box`` a disputed pixel is at most ``margin_px`` away."""
        wide, inner = [box[0]], [slice(None)]
        for part, size in zip(box[1:], self.codes.shape[1:], strict=True):
            start, stop, _ = part.indices(size)
            low, high = max(0, start - margin_px), min(size, stop + margin_px)
            wide.append(slice(low, high))
            inner.append(slice(start - low, stop - low))
        codes = self.codes[tuple(wide)]
        around = self.coding.is_disputed[codes] | self.coding.is_ignored[codes]
        near: NDArray[np.bool_] = dilate(around, 2 * margin_px + 1)
        return near[tuple(inner)]

    def drawn_by_hand(self) -> dict[int, list[int]]:
        """Return the runs of pixels drawn by hand, by the value they were given."""
        all_runs: dict[int, list[int]] = {}
        for frame in sorted(self._drawn):
            for value, runs in self._drawn[frame].items():
                all_runs.setdefault(value, []).extend(runs)
        return all_runs

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the masks that are being adjudicated."""
        return masks_digest(self.codes)

    @cached_property
    def mask_digests(self) -> list[str]:
        """Fingerprint of each annotator's mask (0, 1, and 255 where any has it)."""
        found = []
        for drew in self.coding.drew.T:
            table = np.where(self.coding.is_ignored, IGNORE_VALUE, drew)
            mask = table.astype(np.uint8)[self.codes]
            found.append(hashlib.sha256(mask.data).hexdigest())
        return found

    @property
    def _pixels_per_frame(self) -> int:
        return int(np.prod(self.mask.shape[1:]))

    def _flat(self, box: Box, inside: NDArray[np.bool_]) -> NDArray[np.int64]:
        return flat_indices(inside, box, self.mask.shape)

    def _implied(
        self, codes: NDArray[np.uint8], source: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        implied: NDArray[np.uint8] = self.coding.implied[codes, source]
        return implied

    def _account(self, box: Box) -> None:
        """Bring the provenance and the runs drawn by hand up to date inside ``box``."""
        mask, source = self.mask[box], self._source[box]
        by_hand = mask != self._implied(self.codes[box], source)
        provenance = np.where(by_hand, np.uint8(HAND_DRAWN), shown_source(source))
        provenance[mask == IGNORE_VALUE] = IGNORE_VALUE
        self.provenance[box] = provenance
        first, last, _ = box[0].indices(len(self.mask))
        drawn = set((np.flatnonzero(by_hand.any(axis=(1, 2))) + first).tolist())
        for frame in drawn | (self._drawn.keys() & set(range(first, last))):
            self._remember_drawing(frame)

    def _remember_drawing(self, frame: int) -> None:
        part = slice(frame, frame + 1)
        mask = self.mask[part]
        different = mask != self._implied(self.codes[part], self._source[part])
        box = crop_to(different, margin=0)
        self._drawn.pop(frame, None)
        if box is None:
            return
        where = (part, *box[1:])
        cut = mask[box]
        self._drawn[frame] = {
            int(value): encode_runs(
                different[box] & (cut == value), where, self.mask.shape
            )
            for value in np.unique(cut[different[box]])
        }


def masks_digest(codes: NDArray[np.uint8]) -> str:
    """Return a fingerprint of the masks from their `disagreement_map`."""
    return hashlib.sha256(np.ascontiguousarray(codes).data).hexdigest()


def first_masks(
    codes: NDArray[np.uint8], annotators: int = 2
) -> Generator[Event, None, Masks]:
    """Return mask, provenance and source before any decision, for `Adjudication`.

    Frame by frame, which takes less memory and lets a window live.
    """
    coding = coding_of(annotators)
    mask, provenance, source = (np.empty_like(codes) for _ in range(3))
    is_open = coding.is_disputed | coding.is_ignored
    table = np.where(is_open, IGNORE_VALUE, AGREED).astype(np.uint8)
    for number, frame in enumerate(codes):
        source[number] = provenance[number] = table[frame]
        mask[number] = coding.implied[frame, source[number]]
        yield Progress(number + 1, len(codes), message="Preparing the adjudication")
    return mask, provenance, source


def shown_source(source: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what the provenance map shows for a source."""
    return np.where(source == BETWEEN_INSIDE, np.uint8(BETWEEN), source)
