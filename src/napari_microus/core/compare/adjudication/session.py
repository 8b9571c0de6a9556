"""Adjudicate a disagreement region by region, and remember who was right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.adjudication.run_lengths import encode_runs
from napari_microus.core.compare.surfaces import crop_to
from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    IGNORED,
    NONEXPERT_ONLY,
    disputed,
)
from napari_microus.core.events import Progress, drain
from napari_microus.core.hard_region import dilate
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.core.events import Event

    Box = tuple[slice, slice, slice]
    _Masks = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

#: Codes of the provenance map; `IGNORE_VALUE` (255) is the fifth.
AGREED = 0
FROM_EXPERT = 1
FROM_NONEXPERT = 2
HAND_DRAWN = 3

PROVENANCE_NAMES = {
    AGREED: "agreed",
    FROM_EXPERT: "expert",
    FROM_NONEXPERT: "non-expert",
    HAND_DRAWN: "hand-drawn",
    IGNORE_VALUE: "undecided",
}


class Decision(StrEnum):
    """What an adjudicator says about a disputed region."""

    expert = "expert"
    nonexpert = "nonexpert"
    undecided = "undecided"


_PROVENANCE = {
    Decision.expert: FROM_EXPERT,
    Decision.nonexpert: FROM_NONEXPERT,
    Decision.undecided: IGNORE_VALUE,
}

# Mask value by disagreement code and by provenance (255 looked up as 3).
_IMPLIED = np.zeros((5, 4), np.uint8)
_IMPLIED[BOTH] = 1
_IMPLIED[EXPERT_ONLY] = (IGNORE_VALUE, 1, 0, IGNORE_VALUE)
_IMPLIED[NONEXPERT_ONLY] = (IGNORE_VALUE, 0, 1, IGNORE_VALUE)
_IMPLIED[IGNORED] = IGNORE_VALUE


@dataclass(frozen=True)
class LogEntry:
    """One act of the adjudicator: ``decision`` is None for an undo."""

    when: str
    who: str
    region: int
    decision: Decision | None


@dataclass(frozen=True)
class Verdict:
    """The decision that stands for a region, by whom and when."""

    decision: Decision
    who: str
    when: str


@dataclass(frozen=True, eq=False)
class _Step:
    region: DisputedRegion
    verdict: Verdict | None
    base: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def masks_digest(codes: NDArray[np.uint8]) -> str:
    """Return a fingerprint of two masks from their `disagreement_map`."""
    return hashlib.sha256(np.ascontiguousarray(codes).data).hexdigest()


class Adjudication:
    """The mask that grows out of two others while their regions are adjudicated.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        The `disagreement_map` to settle; kept as it is.
    regions : sequence of DisputedRegion
        What there is to decide, in the order of work.
    who : str
        Name or initials that go with every decision.
    start : tuple of three ndarray, optional
        What `first_masks` returned for ``codes``, so that a window need not wait
        here; taken over, not copied.

    Attributes
    ----------
    mask : ndarray of uint8
        The adjudicated mask: what both drew, what was decided, 255 elsewhere.
        A viewer may draw into it; call `hand_drawn` afterwards.
    provenance : ndarray of uint8
        Whose word each pixel is; see `PROVENANCE_NAMES`.
    """

    def __init__(
        self,
        codes: NDArray[np.uint8],
        regions: Sequence[DisputedRegion],
        *,
        who: str = "",
        start: _Masks | None = None,
    ) -> None:
        self.codes = codes
        self.who = who
        self.regions = list(regions)
        self.created = now()
        self.log: list[LogEntry] = []
        self.verdicts: dict[int, Verdict] = {}
        # The base is who would have decided a pixel without hand drawing.
        start = start or drain(first_masks(codes))
        self.mask, self.provenance, self._base = start
        self._steps: list[_Step] = []
        self._drawn: dict[int, dict[int, list[int]]] = {}

    @property
    def settled(self) -> int:
        """How many regions carry a verdict, *undecided* included."""
        return len(self.verdicts)

    def next_open(self, after: int = 0) -> DisputedRegion | None:
        """Return the first region past number ``after`` without a verdict.

        Begins again at the front; None when every region carries one.
        """
        order = sorted(self.regions, key=lambda r: (r.number <= after, r.number))
        return next((r for r in order if r.number not in self.verdicts), None)

    def decide(self, region: DisputedRegion, decision: Decision | str) -> Box:
        """Give ``region`` to one annotator or leave it open; return what changed.

        Replaces an earlier decision and whatever was drawn there by hand.
        """
        decision = Decision(decision)
        box, inside = region.box, region.mask
        self._steps.append(
            _Step(
                region,
                self.verdicts.get(region.number),
                self._base[box][inside].copy(),
                self.mask[box][inside].copy(),
            )
        )
        codes = self.codes[box][inside]
        is_open = disputed(codes)
        base = np.where(is_open, _PROVENANCE[decision], self._base[box][inside])
        self._base[box][inside] = base
        self.mask[box][inside] = _implied(codes, base)
        self.provenance[box][inside] = base
        self._remember_frames(box)
        verdict = Verdict(decision, self.who, now())
        self.verdicts[region.number] = verdict
        self.log.append(LogEntry(verdict.when, self.who, region.number, decision))
        return box

    def undo(self) -> DisputedRegion | None:
        """Undo the last decision; return its region, or None if there is none."""
        if not self._steps:
            return None
        step = self._steps.pop()
        region = step.region
        self._base[region.box][region.mask] = step.base
        self.mask[region.box][region.mask] = step.mask
        if step.verdict is None:
            self.verdicts.pop(region.number, None)
        else:
            self.verdicts[region.number] = step.verdict
        self.log.append(LogEntry(now(), self.who, region.number, None))
        by_hand = step.mask != _implied(self.codes[region.box][region.mask], step.base)
        self.provenance[region.box][region.mask] = _whose(step.mask, step.base, by_hand)
        frames = np.nonzero(region.mask)[0][by_hand] + region.box[0].start
        self._remember_frames(region.box, set(frames.tolist()))
        return region

    def follow_drawing(self, box: Box) -> list[DisputedRegion]:
        """Account for a change in ``mask`` that may have taken decisions back.

        An editor's undo puts back what it showed before, decisions since then
        included. Where a decided region in ``box`` holds again exactly what it would
        hold open, or by another decision, its verdict becomes that one. The rest is
        hand drawing, see `hand_drawn`.

        Returns
        -------
        list of DisputedRegion
            The regions whose verdict changed.
        """
        changed = []
        frames = set(range(*box[0].indices(len(self.mask))))
        for region in self.regions:
            verdict = self.verdicts.get(region.number)
            if verdict is None or frames.isdisjoint(
                range(region.box[0].start, region.box[0].stop)
            ):
                continue
            shown = self.mask[region.box][region.mask]
            codes = self.codes[region.box][region.mask]
            is_open = disputed(codes)
            for decision in (verdict.decision, *Decision):
                word = np.where(is_open, _PROVENANCE[decision], IGNORE_VALUE)
                if np.array_equal(shown[is_open], _implied(codes, word)[is_open]):
                    break
            else:
                continue  # drawn by hand
            if decision == verdict.decision:
                continue
            self._steps = [s for s in self._steps if s.region is not region]
            if decision == Decision.undecided:
                self._base[region.box][region.mask] = np.where(
                    is_open, IGNORE_VALUE, self._base[region.box][region.mask]
                )
                del self.verdicts[region.number]
                self.log.append(LogEntry(now(), self.who, region.number, None))
            else:
                self.decide(region, decision)
            changed.append(region)
        self.hand_drawn(box)
        return changed

    def hand_drawn(self, box: Box, *, margin_px: int | None = None) -> bool:
        """Account for drawing in ``mask`` inside ``box``.

        Parameters
        ----------
        box : tuple of slice
            Frames, rows and columns that may have changed.
        margin_px : int, optional
            Take back what was drawn further than this from any disputed pixel.

        Returns
        -------
        bool
            Whether something had to be taken back.
        """
        mask, base, codes = self.mask[box], self._base[box], self.codes[box]
        implied = _implied(codes, base)
        taken_back = False
        if margin_px is not None:
            outside = ~self.near_dispute(box, margin_px) & (mask != implied)
            outside &= self.provenance[box] != HAND_DRAWN
            taken_back = bool(outside.any())
            mask[outside] = implied[outside]
        by_hand = mask != implied
        self.provenance[box] = _whose(mask, base, by_hand)
        first = box[0].indices(len(self.mask))[0]
        drawn = np.flatnonzero(by_hand.any(axis=(1, 2))) + first
        self._remember_frames(box, set(drawn.tolist()))
        return taken_back

    def near_dispute(self, box: Box, margin_px: int) -> NDArray[np.bool_]:
        """Return where in ``box`` a disputed pixel is at most ``margin_px`` away."""
        wide, inner = [box[0]], [slice(None)]
        for part, size in zip(box[1:], self.codes.shape[1:], strict=True):
            start, stop, _ = part.indices(size)
            low, high = max(0, start - margin_px), min(size, stop + margin_px)
            wide.append(slice(low, high))
            inner.append(slice(start - low, stop - low))
        around = disputed(self.codes[tuple(wide)])
        around |= self.codes[tuple(wide)] == IGNORED
        near: NDArray[np.bool_] = dilate(around, 2 * margin_px + 1)
        return near[tuple(inner)]

    def drawn_by_hand(self) -> dict[int, list[int]]:
        """Return the runs of pixels drawn by hand, by the value they were given."""
        all_runs: dict[int, list[int]] = {}
        for frame in sorted(self._drawn):
            for value, runs in self._drawn[frame].items():
                all_runs.setdefault(value, []).extend(runs)
        return all_runs

    def take_mask(self, mask: NDArray[np.uint8]) -> None:
        """Take over a mask that was edited elsewhere; differences are hand-drawn."""
        for frame in np.flatnonzero((self.mask != mask).any(axis=(1, 2))):
            self.mask[frame] = mask[frame]
            self.hand_drawn((slice(frame, frame + 1), slice(None), slice(None)))

    def restore(
        self, verdicts: dict[int, Verdict], drawn: dict[int, NDArray[np.int64]]
    ) -> Generator[Event, None, None]:
        """Bring saved verdicts and hand drawing into an adjudication just begun.

        Hand drawing is given as flat indices by value; yields after each frame of it.
        """
        by_number = {region.number: region for region in self.regions}
        for number, verdict in verdicts.items():
            region = by_number[number]
            part, inside = self._base[region.box], region.mask
            part[inside] = np.where(
                disputed(self.codes[region.box][inside]),
                _PROVENANCE[verdict.decision],
                part[inside],
            )
            base = part[inside]
            self.mask[region.box][inside] = _implied(
                self.codes[region.box][inside], base
            )
            self.provenance[region.box][inside] = base
        self.verdicts = dict(verdicts)
        frames: set[int] = set()
        for value, indices in drawn.items():
            self.mask.flat[indices] = value
            pixels_per_frame = int(np.prod(self.mask.shape[1:]))
            frames.update(np.unique(indices // pixels_per_frame).tolist())
        for number, frame in enumerate(sorted(frames), start=1):
            everywhere = (slice(frame, frame + 1), slice(None), slice(None))
            self.hand_drawn(everywhere)
            yield Progress(number, len(frames), message="Reading the decisions")

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the two masks that are being adjudicated."""
        return masks_digest(self.codes)

    @cached_property
    def region_runs(self) -> list[list[int]]:
        """The pixels of each region as runs, in the order of ``regions``."""
        shape = self.codes.shape
        return [encode_runs(r.mask, r.box, shape) for r in self.regions]

    def _remember_frames(self, box: Box, drawn: set[int] | None = None) -> None:
        """Keep the runs of ``drawn`` frames, and of those in ``box`` that had any."""
        frames = range(*box[0].indices(len(self.mask)))
        for frame in (drawn or set()) | (self._drawn.keys() & set(frames)):
            self._remember_drawing(frame)

    def _remember_drawing(self, frame: int) -> None:
        mask = self.mask[frame : frame + 1]
        implied = _implied(self.codes[frame : frame + 1], self._base[frame : frame + 1])
        different = mask != implied
        box = crop_to(different, margin=0)
        self._drawn.pop(frame, None)
        if box is None:
            return
        part = mask[box]
        where = (slice(frame, frame + 1), *box[1:])
        self._drawn[frame] = {
            int(value): encode_runs(
                different[box] & (part == value), where, self.mask.shape
            )
            for value in np.unique(part[different[box]])
        }


def first_masks(codes: NDArray[np.uint8]) -> Generator[Event, None, _Masks]:
    """Return mask, provenance and base before any decision, for `Adjudication`.

    Frame by frame, which takes less memory and lets a window live.
    """
    mask, provenance, base = (np.empty_like(codes) for _ in range(3))
    for number, frame in enumerate(codes):
        is_open = disputed(frame) | (frame == IGNORED)
        base[number] = np.where(is_open, IGNORE_VALUE, AGREED)
        provenance[number] = base[number]
        mask[number] = _implied(frame, base[number])
        yield Progress(number + 1, len(codes), message="Preparing the adjudication")
    return mask, provenance, base


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _implied(codes: NDArray[np.uint8], base: NDArray[np.uint8]) -> NDArray[np.uint8]:
    implied: NDArray[np.uint8] = _IMPLIED[codes, np.minimum(base, 3)]
    return implied


def _whose(
    mask: NDArray[np.uint8], base: NDArray[np.uint8], by_hand: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the provenance of pixels of which some were drawn by hand."""
    whose = np.where(by_hand, np.uint8(HAND_DRAWN), base)
    whose[mask == IGNORE_VALUE] = IGNORE_VALUE
    return whose
