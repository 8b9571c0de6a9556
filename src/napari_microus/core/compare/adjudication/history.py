"""What was decided and drawn, step by step, to be undone and done again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.adjudication.votes import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# What is older cannot be undone: a journal must be written within a second.
_MOST_STEPS = 200
_MOST_RUNS = 200_000


@dataclass(frozen=True)
class Verdict:
    """The decision that stands for a region, by whom and when.

    ``share`` places a contour between two others, from 0 (the expert's) to 1.
    """

    decision: Decision
    who: str
    when: str
    share: float | None = None


@dataclass(frozen=True)
class LogEntry:
    """One act of the adjudicator on one region, or (region 0) by brush.

    ``action`` is ``decide``, ``reopen``, ``draw``, ``undo`` or ``redo``; ``decision``
    is what stands since then, None for nothing.
    """

    when: str
    who: str
    region: int
    decision: Decision | None
    action: str = "decide"


@dataclass(frozen=True)
class Note:
    """What an adjudicator remarks on a region.

    Attributes
    ----------
    reason : str
        Why the annotators differ, from a list such as "shadow".
    comment : str
        Free text.
    is_flagged : bool
        True where a second reader shall look.
    """

    reason: str = ""
    comment: str = ""
    is_flagged: bool = False


#: A region's verdict before and after a step.
Change = tuple[Verdict | None, Verdict | None]


@dataclass(frozen=True, eq=False)
class Step:
    """One act of the adjudicator, with all it needs to be taken back.

    Attributes
    ----------
    act : str
        ``decide``, ``reopen`` or ``draw``.
    who, when : str
        By whom, and the time in UTC.
    decision : Decision or None
        What was decided; None for the other acts.
    verdicts : dict of int to (Verdict or None, Verdict or None)
        Before and after, for each region whose verdict changed.
    runs : ndarray of int, shape (N, 3)
        Pixels that changed: first flat index, number, and values; see `pack`.
    """

    act: str
    who: str
    when: str
    decision: Decision | None = None
    verdicts: dict[int, Change] = field(default_factory=dict)
    runs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 3), np.int64))

    def frames(self, pixels_per_frame: int) -> range:
        """Return the frames from the first to the last that changed."""
        if not len(self.runs):
            return range(0)
        first = int(self.runs[0, 0]) // pixels_per_frame
        last = int(self.runs[-1, :2].sum() - 1) // pixels_per_frame
        return range(first, last + 1)

    @property
    def pixels(self) -> int:
        """How many pixels changed."""
        return int(self.runs[:, 1].sum())


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels of a step: flat indices, and mask and source before and after."""

    index: NDArray[np.int64]
    mask: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    source: tuple[NDArray[np.uint8], NDArray[np.uint8]]


def pack(pixels: Pixels) -> NDArray[np.int64]:
    """Return changed pixels as runs of equal changes.

    Pixels whose values stay are left out. The third column holds four bytes: mask
    before and after, source before and after.
    """
    (mask, new_mask), (source, new_source) = pixels.mask, pixels.source
    values = np.stack([mask, new_mask, source, new_source], axis=-1).astype(np.int64)
    key = values @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
    changed = (mask != new_mask) | (source != new_source)
    index, key = pixels.index[changed], key[changed]
    if not index.size:
        return np.empty((0, 3), np.int64)
    order = np.argsort(index, kind="stable")
    index, key = index[order], key[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(index) != 1) | (np.diff(key) != 0)])
    lengths = np.diff(np.r_[starts, index.size])
    return np.column_stack([index[starts], lengths, key[starts]])


def unpack(runs: NDArray[np.int64]) -> Pixels:
    """Return the pixels that `pack` made ``runs`` of."""
    starts, lengths, keys = runs.T
    first = np.repeat(starts - np.r_[0, np.cumsum(lengths)[:-1]], lengths)
    index = first + np.arange(int(lengths.sum()))
    key = np.repeat(keys, lengths)
    bytes_of = [(key >> shift & 255).astype(np.uint8) for shift in (24, 16, 8, 0)]
    mask, new_mask, source, new_source = bytes_of
    return Pixels(index, (mask, new_mask), (source, new_source))


def join(pieces: Sequence[Pixels]) -> Pixels:
    """Return the pixels of several parts, each once."""
    index = np.concatenate([piece.index for piece in pieces])
    mask, source = (
        tuple(
            np.concatenate([getattr(piece, name)[side] for piece in pieces])
            for side in (0, 1)
        )
        for name in ("mask", "source")
    )
    return Pixels(index, (mask[0], mask[1]), (source[0], source[1]))


def switch_side(
    step: Step,
    mask: NDArray[np.uint8],
    source: NDArray[np.uint8],
    verdicts: dict[int, Verdict],
    side: int,
) -> bool:
    """Return whether all is at one side of a step, and bring it to the other."""
    pixels = unpack(step.runs)
    for number, change in step.verdicts.items():
        if verdicts.pop(number, None) != change[side]:
            return False
        before = change[1 - side]
        if before is not None:
            verdicts[number] = before
    if (mask.flat[pixels.index] != pixels.mask[side]).any():
        return False
    if (source.flat[pixels.index] != pixels.source[side]).any():
        return False
    mask.flat[pixels.index] = pixels.mask[1 - side]
    source.flat[pixels.index] = pixels.source[1 - side]
    return True


class History:
    """Steps that can be undone, and those that were and can be done again."""

    def __init__(self) -> None:
        self.done: list[Step] = []
        self.undone: list[Step] = []

    def add(self, step: Step) -> None:
        """Remember a new step; what was undone before it is forgotten."""
        self.done.append(step)
        self.undone.clear()
        runs = np.cumsum([len(step.runs) for step in reversed(self.done)])
        kept = min(_MOST_STEPS, max(1, int((runs <= _MOST_RUNS).sum())))
        del self.done[:-kept]

    def as_json(self) -> dict[str, Any]:
        """Return the steps for a sidecar."""
        return {
            name: [_step_as_json(step) for step in steps]
            for name, steps in (("done", self.done), ("undone", self.undone))
        }


def history_from_json(stored: dict[str, Any]) -> History:
    """Return the history that `History.as_json` described, checked beforehand."""
    history = History()
    history.done = [_step_from_json(item) for item in stored["done"]]
    history.undone = [_step_from_json(item) for item in stored["undone"]]
    return history


def verdict_as_json(verdict: Verdict | None) -> list[Any] | None:
    """Return a verdict as decision, name, time and share."""
    if verdict is None:
        return None
    return [verdict.decision, verdict.who, verdict.when, verdict.share]


def verdict_from_json(stored: list[Any] | None) -> Verdict | None:
    """Return the verdict that `verdict_as_json` described."""
    if stored is None:
        return None
    decision, who, when, share = stored
    return Verdict(Decision(decision), who, when, share)


def _step_as_json(step: Step) -> dict[str, Any]:
    return {
        "act": step.act,
        "who": step.who,
        "when": step.when,
        "decision": step.decision,
        "verdicts": {
            str(number): [verdict_as_json(verdict) for verdict in change]
            for number, change in step.verdicts.items()
        },
        "runs": step.runs.ravel().tolist(),
    }


def _step_from_json(stored: dict[str, Any]) -> Step:
    decision = stored["decision"]
    return Step(
        act=stored["act"],
        who=stored["who"],
        when=stored["when"],
        decision=None if decision is None else Decision(decision),
        verdicts={
            int(number): (verdict_from_json(before), verdict_from_json(after))
            for number, (before, after) in stored["verdicts"].items()
        },
        runs=np.asarray(stored["runs"], np.int64).reshape(-1, 3),
    )
