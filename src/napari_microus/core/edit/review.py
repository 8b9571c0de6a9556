"""Which frames of a capsule a person drew or approved, and which to look at next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class FrameState(Enum):
    """What is known of a frame; the value is what a user reads."""

    APPROVED = "approved"
    EDITED = "edited"
    DOUBTFUL = "look here"
    EMPTY = "empty"
    MODEL = "as the model drew it"


@dataclass
class Review:
    """The review of one capsule.

    Attributes
    ----------
    count : int
        Frames of the scan.
    edited, approved : set of int
        Frames that a person changed, and those called right. Both are kept when other
        frames are drawn again.
    doubtful : list of int
        Frames of which the model was least sure, the least sure one first.
    """

    count: int
    edited: set[int] = field(default_factory=set)
    approved: set[int] = field(default_factory=set)
    doubtful: list[int] = field(default_factory=list)

    @classmethod
    def from_provenance(cls, count: int, made: dict[str, Any] | None) -> Self:
        """Return the review that a layer's or a file's provenance describes.

        Frames that the scan does not have are left out.
        """
        made = made if isinstance(made, dict) else {}
        own, sure = made.get("review"), made.get("confidence")
        own = own if isinstance(own, dict) else {}
        sure = sure if isinstance(sure, dict) else {}

        def frames(values: Any) -> list[int]:
            values = values if isinstance(values, list) else []
            return [v for v in values if isinstance(v, int) and 0 <= v < count]

        return cls(
            count,
            set(frames(own.get("edited"))),
            set(frames(own.get("approved"))),
            frames(sure.get("look_first")),
        )

    def to_provenance(self) -> dict[str, Any]:
        """Return what is written beside the mask, ready for JSON."""
        return {"edited": sorted(self.edited), "approved": sorted(self.approved)}

    @property
    def protected(self) -> set[int]:
        """Frames that nothing but a person may change."""
        return self.edited | self.approved

    @property
    def sentence(self) -> str:
        """How far the review has come."""
        return f"{len(self.approved)} of {self.count} frames approved"

    def edit(self, frame: int) -> None:
        """Note that a person changed a frame: it is no longer approved."""
        self.edited.add(frame)
        self.approved.discard(frame)

    def state(self, frame: int, is_empty: bool) -> FrameState:
        """Return what is known of a frame."""
        if frame in self.approved:
            return FrameState.APPROVED
        if frame in self.edited:
            return FrameState.EDITED
        if frame in self.doubtful:
            return FrameState.DOUBTFUL
        return FrameState.EMPTY if is_empty else FrameState.MODEL

    def next_unapproved(self, frame: int) -> int | None:
        """Return the next frame that is not approved, from the start again at the end.

        None where all are.
        """
        return self._next(frame, lambda k: k not in self.approved)

    def next_doubtful(self) -> int | None:
        """Return the least sure frame that nobody has touched, None if all are."""
        left = (k for k in self.doubtful if k not in self.protected)
        return next(left, None)

    def _next(self, frame: int, fits: Callable[[int], bool]) -> int | None:
        order: Iterable[int] = (
            (frame + step) % self.count for step in range(1, self.count + 1)
        )
        return next((k for k in order if fits(k)), None)
