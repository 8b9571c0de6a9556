"""Adjudicate a disagreement region by region, and remember who was right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.adjudication.adjudicated_mask import (
    AdjudicatedMask,
    shown_source,
)
from napari_microus.core.compare.adjudication.history import (
    Change,
    History,
    LogEntry,
    Note,
    Pixels,
    Step,
    Verdict,
    join,
    pack,
    switch_side,
    unpack,
)
from napari_microus.core.compare.adjudication.region_index import (
    RegionIndex,
    box_around,
)
from napari_microus.core.compare.adjudication.run_lengths import encode_indices
from napari_microus.core.compare.adjudication.votes import (
    AGREED,
    BETWEEN,
    BETWEEN_INSIDE,
    CODE_OF_DECISION,
    HAND_DRAWN,
    Decision,
    decision_of,
)
from napari_microus.core.compare.regions import DisputedRegion
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.compare.adjudication.adjudicated_mask import Box, Masks
    from napari_microus.core.events import Event


class Adjudication(AdjudicatedMask):
    """The mask that grows out of others while their disagreement is adjudicated.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        The `disagreement_map` of two masks, or `vote_map` of more; kept as it is.
    regions : sequence of DisputedRegion
        What there is to decide, in the order of work, numbered from 1.
    who : str
        Name or initials that go with every decision.
    start : tuple of three ndarray, optional
        What `first_masks` returned for ``codes``, so that a window need not wait
        here; taken over, not copied.
    annotators : int
        How many masks there are.

    Attributes
    ----------
    mask : ndarray of uint8
        The adjudicated mask: what all drew, what was decided, 255 elsewhere.
        A viewer may draw into it; call `hand_drawn` afterwards.
    provenance : ndarray of uint8
        Who decided each pixel; see `Coding.names`.
    history : History
        All decisions and strokes that can be undone or done again.
    notes : dict of int to Note
        Remarks on regions, by number.
    """

    def __init__(
        self,
        codes: NDArray[np.uint8],
        regions: Sequence[DisputedRegion],
        *,
        who: str = "",
        start: Masks | None = None,
        annotators: int = 2,
    ) -> None:
        super().__init__(codes, annotators, start)
        self.who = who
        self.regions = list(regions)
        self._index = RegionIndex(self.regions, codes.shape)
        # To the microsecond: two that begin in one second are not the same.
        self.created = datetime.now(UTC).isoformat(timespec="microseconds")
        self.log: list[LogEntry] = []
        self.verdicts: dict[int, Verdict] = {}
        self.notes: dict[int, Note] = {}
        self.history = History()
        # Regions whose pixels do not all follow from a verdict.
        self._by_pixel: set[int] = set()

    @property
    def decided_count(self) -> int:
        """How many regions carry a verdict, *undecided* included."""
        return len(self.verdicts)

    settled = decided_count  # its name before, for one release

    def region(self, number: int) -> DisputedRegion:
        """Return the region of this number."""
        return self._index[number]

    def next_open(self, after: int = 0) -> DisputedRegion | None:
        """Return the first region past number ``after`` without a verdict.

        Begins again at the front; None when every region carries one.
        """
        order = sorted(self.regions, key=lambda r: (r.number <= after, r.number))
        return next((r for r in order if r.number not in self.verdicts), None)

    def open_share(self, region: DisputedRegion) -> float:
        """Return which share of a region's pixels nobody has decided."""
        source = self._source[region.box][region.mask]
        return float((source == IGNORE_VALUE).mean()) if source.size else 0.0

    def drawn_shares(self, region: DisputedRegion) -> tuple[float, ...]:
        """Return which share of a region's pixels each annotator drew."""
        drew = self.coding.drew[self.codes[region.box][region.mask]]
        return tuple(float(share) for share in drew.mean(axis=0))

    # --- deciding

    def decide(
        self, regions: DisputedRegion | Sequence[DisputedRegion], decision: str
    ) -> Box:
        """Give regions to one annotator or leave them open, as one step.

        Replaces earlier decisions and whatever was drawn there by hand.

        Returns
        -------
        tuple of slice
            The box around what may have changed.

        Raises
        ------
        InputError
            If there is no region, or the decision is none that can be taken.
        """
        chosen = _some(regions)
        decision = self._allowed(decision)
        verdict = Verdict(decision, self.who, now())
        parts = [(self._index.pixels_of(chosen), CODE_OF_DECISION[decision])]
        verdicts: dict[int, Verdict | None]
        verdicts = {region.number: verdict for region in chosen}
        return self._give(parts, box_around(chosen), verdicts, verdict)

    def decide_pixels(
        self, box: Box, inside: NDArray[np.bool_], decision: str
    ) -> DisputedRegion | None:
        """Give the disputed pixels in a part of the picture to one annotator.

        Parameters
        ----------
        box : tuple of slice
            Frames, rows and columns.
        inside : ndarray of bool
            Which pixels of the box are meant, as a brush or a lasso marks them.
        decision : Decision or str
            Of one annotator, the majority, or undecided.

        Returns
        -------
        DisputedRegion or None
            The region in which most of the pixels lie; None where nothing in the
            listed regions is disputed, and nothing changed then.
        """
        decision = self._allowed(decision)
        inside = inside & self.coding.is_disputed[self.codes[box]]
        touched, inside = self._index.touched(box, inside)
        if not touched:
            return None
        verdict = Verdict(decision, self.who, now())
        parts = [(self._flat(box, inside), CODE_OF_DECISION[decision])]
        self._give(parts, box, dict.fromkeys(touched), verdict)
        return self.region(max(touched, key=lambda number: touched[number]))

    def decide_between(
        self, region: DisputedRegion, inner: NDArray[np.bool_], share: float
    ) -> Box:
        """Draw a contour between the annotators' ones through a region.

        Parameters
        ----------
        region : DisputedRegion
            Where.
        inner : ndarray of bool, shape of ``region.mask``
            Foreground inside the region's box; see `between.contour_between`.
        share : float
            From 0 (the expert's contour) to 1; goes with the verdict.
        """
        verdict = Verdict(Decision.between, self.who, now(), share)
        parts = [
            (self._flat(region.box, region.mask & inner), BETWEEN_INSIDE),
            (self._flat(region.box, region.mask & ~inner), BETWEEN),
        ]
        return self._give(parts, region.box, {region.number: verdict}, verdict)

    def reopen(self, regions: DisputedRegion | Sequence[DisputedRegion]) -> Box:
        """Take the decisions on regions back, and what was drawn there, as one step."""
        chosen = _some(regions)
        parts = [(self._index.pixels_of(chosen), IGNORE_VALUE)]
        numbers = (region.number for region in chosen)
        return self._give(parts, box_around(chosen), dict.fromkeys(numbers), None)

    def undo(self) -> Step | None:
        """Undo the last decision or stroke; return it, or None if there is none."""
        if not self.history.done:
            return None
        step = self.history.done.pop()
        self.history.undone.append(step)
        self._take(step, "undo", 0)
        return step

    def redo(self) -> Step | None:
        """Do again what was undone last; return it, or None if there is none."""
        if not self.history.undone:
            return None
        step = self.history.undone.pop()
        self.history.done.append(step)
        self._take(step, "redo", 1)
        return step

    def frames_of(self, step: Step) -> range:
        """Return the frames from the first to the last that a step changed."""
        return step.frames(self._pixels_per_frame)

    # --- drawing

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
        for region in self._index.in_frames(box[0]):
            verdict = self.verdicts.get(region.number)
            if verdict is None:
                continue
            shown = self._shown_decision(region, verdict)
            if shown is None or shown == verdict.decision:
                continue
            changed.append(region)
            # What the editor shows is what the decision gives: a step of its own.
            if shown == Decision.undecided:
                self.reopen(region)
            else:
                self.decide(region, shown)
        self.hand_drawn(box)
        return changed

    def _shown_decision(
        self, region: DisputedRegion, verdict: Verdict
    ) -> Decision | None:
        """Return the decision that a region looks like, None where it is none's."""
        shown = self.mask[region.box][region.mask]
        codes = self.codes[region.box][region.mask]
        source = self._source[region.box][region.mask]
        if np.array_equal(shown, self._implied(codes, source)):
            return verdict.decision
        is_open = self.coding.is_disputed[codes]
        for decision in (*self.coding.decisions(), Decision.undecided):
            held = self.coding.implied[codes[is_open], CODE_OF_DECISION[decision]]
            if np.array_equal(shown[is_open], held):
                return decision
        return None

    def hand_drawn(self, box: Box, *, margin_px: int | None = None) -> bool:
        """Account for drawing in ``mask`` inside ``box``, as one step.

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
        mask, before = self.mask[box], self._seen[box]
        drawn = mask != before
        if not drawn.any():
            return False
        taken_back = False
        if margin_px is not None:
            outside = drawn & ~self.near_dispute(box, margin_px)
            # What lies there already by hand may be corrected.
            outside &= self.provenance[box] != HAND_DRAWN
            taken_back = bool(outside.any())
            mask[outside] = before[outside]
            drawn &= ~outside
        if not drawn.any():
            return taken_back
        source = self._source[box][drawn]
        pixels = Pixels(
            self._flat(box, drawn), (before[drawn], mask[drawn]), (source, source)
        )
        step = Step("draw", self.who, now(), None, {}, pack(pixels))
        self.history.add(step)
        self.log.append(LogEntry(step.when, step.who, 0, None, "draw"))
        before[drawn] = mask[drawn]
        self._account(box)
        return taken_back

    def decided_by_pixel(self) -> dict[int, list[int]]:
        """Return the runs of pixels decided otherwise than their region, by source."""
        pieces, sources = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
        for number in self._by_pixel:
            region = self.region(number)
            pieces.append(self._flat(region.box, region.mask))
            sources.append(self._source[region.box][region.mask])
        index, source = np.concatenate(pieces), np.concatenate(sources)
        order = np.argsort(index)
        index, source = index[order], source[order]
        codes = set(np.unique(source).tolist()) - {AGREED, IGNORE_VALUE}
        return {code: encode_indices(index[source == code]) for code in sorted(codes)}

    def take_mask(self, mask: NDArray[np.uint8]) -> int:
        """Take over a mask that was edited elsewhere; differences are hand-drawn.

        Returns
        -------
        int
            How many pixels differed.
        """
        different = self.mask != mask
        frames = np.flatnonzero(different.any(axis=(1, 2)))
        if frames.size:
            part = slice(int(frames[0]), int(frames[-1]) + 1)
            self.mask[part] = mask[part]
            self.hand_drawn((part, slice(None), slice(None)))
        return int(different.sum())

    # --- files

    def restore(
        self,
        verdicts: dict[int, Verdict],
        drawn: dict[int, NDArray[np.int64]],
        by_pixel: dict[int, NDArray[np.int64]] | None = None,
    ) -> Generator[Event, None, None]:
        """Bring saved verdicts and hand drawing into an adjudication just begun.

        Hand drawing is given as flat indices by value, and ``by_pixel`` likewise by
        source; yields after each frame of drawing.
        """
        for number, verdict in verdicts.items():
            if verdict.decision in CODE_OF_DECISION:
                region = self.region(number)
                inside = region.mask & self.coding.is_disputed[self.codes[region.box]]
                self._source[region.box][inside] = CODE_OF_DECISION[verdict.decision]
        self.verdicts = dict(verdicts)
        for code, indices in (by_pixel or {}).items():
            open_ = indices[self.coding.is_disputed[self.codes.flat[indices]]]
            self._source.flat[open_] = code
        self._by_pixel = {
            region.number for region in self.regions if self._is_by_pixel(region)
        }
        for region in self.regions:
            source = self._source[region.box][region.mask]
            codes = self.codes[region.box][region.mask]
            self.mask[region.box][region.mask] = self._implied(codes, source)
            self.provenance[region.box][region.mask] = shown_source(source)
        frames: set[int] = set()
        for value, indices in drawn.items():
            self.mask.flat[indices] = value
            frames.update(np.unique(indices // self._pixels_per_frame).tolist())
        self._seen[:] = self.mask
        for number, frame in enumerate(sorted(frames), start=1):
            self._account((slice(frame, frame + 1), slice(None), slice(None)))
            yield Progress(number, len(frames), message="Reading the decisions")

    def take_history(self, history: History) -> None:
        """Take over saved steps, unless they do not lead to what is there now."""
        for steps, side in ((history.done, 1), (history.undone, 0)):
            mask, source = self.mask.copy(), self._source.copy()
            verdicts = dict(self.verdicts)
            for step in reversed(steps):
                if not switch_side(step, mask, source, verdicts, side):
                    return
        self.history = history

    @property
    def region_runs(self) -> list[list[int]]:
        """The pixels of each region as runs, in the order of ``regions``."""
        return self._index.runs

    # --- inside

    def _allowed(self, decision: str) -> Decision:
        chosen = Decision(decision)
        if chosen not in (*self.coding.decisions(), Decision.undecided):
            raise InputError(
                f"A decision must be one of {', '.join(self.coding.decisions())} or "
                f"undecided; got {chosen}. Choose one of them.",
                plain=(
                    f"'{chosen}' is no decision here. Choose one of "
                    f"{', '.join(self.coding.decisions())}, or undecided."
                ),
            )
        return chosen

    def _give(
        self,
        parts: Sequence[tuple[NDArray[np.int64], int]],
        box: Box,
        verdicts: dict[int, Verdict | None],
        decided: Verdict | None,
    ) -> Box:
        """Give pixels to a source, as one step; verdicts of None are worked out."""
        pieces = []
        for index, code in parts:
            codes, source = self.codes.flat[index], self._source.flat[index]
            is_open = self.coding.is_disputed[codes]
            new = np.where(is_open, np.uint8(code), source)
            mask = self._seen.flat[index], self._implied(codes, new)
            pieces.append(Pixels(index, mask, (source, new)))
        pixels = join(pieces)
        self.mask.flat[pixels.index] = pixels.mask[1]
        self._seen.flat[pixels.index] = pixels.mask[1]
        self._source.flat[pixels.index] = pixels.source[1]
        changes: dict[int, Change] = {}
        for number, verdict in verdicts.items():
            stands = verdict or self._verdict_now(number, decided)
            changes[number] = (self.verdicts.get(number), stands)
        act = "reopen" if decided is None else "decide"
        when = decided.when if decided else now()
        decision = decided.decision if decided else None
        step = Step(act, self.who, when, decision, changes, pack(pixels))
        self.history.add(step)
        self._set_verdicts({number: after for number, (_, after) in changes.items()})
        self._write_log(step, act)
        self._account(box)
        return box

    def _take(self, step: Step, action: str, side: int) -> None:
        """Bring the mask to one side (0 before, 1 after) of a step."""
        pixels = unpack(step.runs)
        self.mask.flat[pixels.index] = pixels.mask[side]
        self._seen.flat[pixels.index] = pixels.mask[side]
        self._source.flat[pixels.index] = pixels.source[side]
        verdicts = {number: change[side] for number, change in step.verdicts.items()}
        self._set_verdicts(verdicts)
        self._write_log(step, action)
        frames = step.frames(self._pixels_per_frame)
        self._account((slice(frames.start, frames.stop), slice(None), slice(None)))

    def _set_verdicts(self, verdicts: dict[int, Verdict | None]) -> None:
        for number, verdict in verdicts.items():
            if verdict is None:
                self.verdicts.pop(number, None)
            else:
                self.verdicts[number] = verdict
            is_mixed = self._is_by_pixel(self.region(number))
            (self._by_pixel.add if is_mixed else self._by_pixel.discard)(number)

    def _is_by_pixel(self, region: DisputedRegion) -> bool:
        """Return whether the verdict alone does not show who decided its pixels."""
        verdict = self.verdicts.get(region.number)
        if verdict is not None:
            return verdict.decision not in CODE_OF_DECISION
        return self.open_share(region) < 1

    def _verdict_now(self, number: int, decided: Verdict | None) -> Verdict | None:
        """Return what the pixels of a region amount to after a part was decided."""
        region = self.region(number)
        source = self._source[region.box][region.mask]
        disputed = self.coding.is_disputed[self.codes[region.box][region.mask]]
        decision = decision_of(source[disputed])
        if decided is None or decision is None:
            return None
        if decision == Decision.undecided and decided.decision != decision:
            return None
        return Verdict(decision, decided.who, decided.when)

    def _write_log(self, step: Step, action: str) -> None:
        when = step.when if action in ("decide", "reopen") else now()
        numbers: Iterable[int] = step.verdicts or (0,)
        for number in numbers:
            verdict = self.verdicts.get(number)
            decision = verdict.decision if verdict else None
            self.log.append(LogEntry(when, self.who, number, decision, action))


def now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _some(regions: DisputedRegion | Sequence[DisputedRegion]) -> list[DisputedRegion]:
    chosen = [regions] if isinstance(regions, DisputedRegion) else list(regions)
    if not chosen:
        raise InputError(
            "A decision must be on a region; got none. Choose one.",
            plain="No region is chosen. Choose one.",
        )
    return chosen
