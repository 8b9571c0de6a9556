"""How the frames of a scan lie to each other: side by side, or turned about an axis."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["parallel", "rotational", "unknown"]
KINDS = ("parallel", "rotational", "unknown")
DIRECTIONS = ("rows", "columns")

_FURTHEST_MM = 1000.0
_KEYS = {"kind", "axis", "angles_deg"}


@dataclass(frozen=True)
class Sweep:
    """The way a scan's frames were swept.

    Parameters
    ----------
    kind : {"parallel", "rotational", "unknown"}
        Frames side by side, or turned about an axis that lies in all of them.
    axis_along : {"rows", "columns"}, optional
        For "rotational": whether the axis runs from row to row, a vertical line in
        the picture, or from column to column, a horizontal one, as a transrectal
        probe's own axis does in sagittal frames.
    axis_at_mm : float, optional
        For "rotational": how far the axis lies from the centre of the picture's
        first column ("rows") or row ("columns"), to the right or down. Less than 0
        is beside the picture, as inside a probe.
    angles_deg : tuple of float, optional
        For "rotational": the angle of every frame, rising or falling throughout.

    Raises
    ------
    InputError
        If the kind is unknown, or what a rotation needs is missing or impossible.
    """

    kind: Kind = "unknown"
    axis_along: Literal["rows", "columns"] | None = None
    axis_at_mm: float | None = None
    angles_deg: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"A sweep must be one of {', '.join(KINDS)}; got '{self.kind}'. "
                "Choose one of these.",
                plain=(
                    f"There is no kind of sweep '{self.kind}'. Choose one of "
                    f"{', '.join(KINDS)}."
                ),
            )
        rotation = self.axis_along, self.axis_at_mm, self.angles_deg
        if self.kind != "rotational":
            if any(part is not None for part in rotation):
                raise InputError(
                    "An axis and angles must belong to a rotational sweep; got them "
                    f"for '{self.kind}'. Remove them, or make it rotational.",
                    plain=(
                        "Only a rotational sweep has an axis and angles. Remove "
                        "them, or make it rotational."
                    ),
                )
            return
        if any(part is None for part in rotation):
            raise InputError(
                "A rotational sweep must state its axis (along and at_mm) and an angle "
                "for each frame; got one without. Add what is missing.",
                plain=(
                    "The axis or the angles of the rotational sweep are missing. "
                    "Add what is missing."
                ),
            )
        if self.axis_along not in DIRECTIONS:
            raise InputError(
                "The axis of a sweep must run along rows or columns; got "
                f"'{self.axis_along}'. Choose one of these.",
                plain=(
                    "The axis of a sweep runs along rows or columns, and not along "
                    f"'{self.axis_along}'. Choose one of these."
                ),
            )
        at_mm = number_of(self.axis_at_mm)
        if at_mm is None or abs(at_mm) > _FURTHEST_MM:
            raise InputError(
                f"The axis of a sweep must lie within {_FURTHEST_MM:g} mm of the "
                f"picture; got {self.axis_at_mm}. Correct its place.",
                plain=(
                    f"The axis of the sweep is more than {_FURTHEST_MM:g} mm away "
                    "from the picture. Correct its place."
                ),
            )
        angles = [number_of(angle) for angle in self.angles_deg or ()]
        steps = [
            b - a
            for a, b in itertools.pairwise(angles)
            if a is not None and b is not None
        ]
        is_monotonic = all(s > 0 for s in steps) or all(s < 0 for s in steps)
        if None in angles or len(steps) < 1 or not is_monotonic:
            raise InputError(
                "The angles of a sweep must be two or more numbers that rise or fall "
                f"throughout; got {_short(self.angles_deg)}. Correct them.",
                plain=(
                    "The angles of the sweep do not rise or fall throughout: "
                    f"{_short(self.angles_deg)}. Correct them."
                ),
            )
        if abs(sum(steps)) > 360:
            raise InputError(
                "A sweep must turn by no more than 360°; got "
                f"{abs(sum(steps)):g}°. Correct its angles.",
                plain=(
                    f"The sweep turns by {abs(sum(steps)):g}°, more than a full "
                    "turn. Correct its angles."
                ),
            )

    @classmethod
    def from_dict(cls, entries: Any) -> Sweep:
        """Return the sweep that `to_dict` gave.

        Raises
        ------
        InputError
            If a key is unknown or a value is none that fits.
        """
        if (
            not isinstance(entries, dict)
            or set(entries) - _KEYS
            or "kind" not in entries
        ):
            raise InputError(
                f"A sweep must state its kind, and axis and angles_deg; got {entries}. "
                "Correct it.",
                plain="The description of the sweep is incomplete. Correct it.",
            )
        axis = entries.get("axis")
        if axis is not None and (
            not isinstance(axis, dict) or set(axis) != {"along", "at_mm"}
        ):
            raise InputError(
                f"The axis of a sweep must state along and at_mm; got {axis}. Correct "
                "it.",
                plain="The description of the sweep's axis is incomplete. Correct it.",
            )
        angles = entries.get("angles_deg")
        if angles is not None and not isinstance(angles, list):
            raise InputError(
                f"The angles of a sweep must be a list; got {angles}. Correct them.",
                plain=f"The angles of the sweep are no list: {angles}. Correct them.",
            )
        axis = axis or {}
        return cls(
            entries["kind"],
            axis.get("along"),
            axis.get("at_mm"),
            None if angles is None else tuple(angles),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as it stands in a file and in a scan's metadata."""
        if self.kind != "rotational":
            return {"kind": self.kind}
        return {
            "kind": self.kind,
            "axis": {"along": self.axis_along, "at_mm": self.axis_at_mm},
            "angles_deg": list(self.angles_deg or ()),
        }


def even_angles(first_deg: float, last_deg: float, frames: int) -> tuple[float, ...]:
    """Return the angles of a sweep that turns by equal steps, to a millionth of 1°.

    Raises
    ------
    InputError
        If there are fewer than two frames.
    """
    if frames < 2:
        raise InputError(
            f"A sweep must have two or more frames; got {frames}. Choose the whole "
            "scan.",
            plain="One frame is no sweep. Choose the whole scan.",
        )
    step = (last_deg - first_deg) / (frames - 1)
    return tuple(round(first_deg + n * step, 6) for n in range(frames))


def sweep_of(metadata: Mapping[str, Any]) -> Sweep:
    """Return the sweep that a scan's metadata states, "unknown" if it states none."""
    entries = metadata.get("sweep")
    return Sweep() if entries is None else Sweep.from_dict(entries)


def angles_from_text(text: str, frames: int) -> tuple[float, ...]:
    """Return the angle of every frame from what a person typed.

    Parameters
    ----------
    text : str
        ``first:last`` in equal steps, such as "-80:80"; one number, the angle from
        the first frame to the last, half of it on either side; or one number for
        each frame with commas. In degrees.
    frames : int
        How many frames the scan has.

    Raises
    ------
    InputError
        If the text is none of these, or states another number of angles.
    """
    try:
        if ":" in text:
            first, last = (float(part) for part in text.split(":"))
        elif "," in text:
            angles = tuple(float(part) for part in text.split(","))
        else:
            last = float(text) / 2
            first = -last
    except ValueError:
        raise InputError(
            "Angles must be first:last, one number, or numbers with commas; got "
            f"'{text}'. Correct them.",
            plain=(
                f"'{text}' is no list of angles. Write the first and the "
                "last, such as -80:80, or one for each frame with commas."
            ),
        ) from None
    if "," in text:
        if len(angles) != frames:
            raise InputError(
                "A rotational sweep must have an angle for each frame; got "
                f"{len(angles)} angles and {frames} frames. Correct the angles.",
                plain=(
                    f"{len(angles)} angles were stated, and the scan has {frames} "
                    "frames. Give one for each."
                ),
            )
        return angles
    return even_angles(first, last, frames)


def number_of(value: Any) -> float | None:
    """Return a finite number, None for anything else; True is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _short(values: Any) -> str:
    shown = [f"{v}" for v in values or ()]
    return ", ".join(shown[:6]) + (", …" if len(shown) > 6 else "") or "none"
