"""How well a trainee repeats themselves: one case drawn twice."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.frames import FrameAgreement, compare_frames
from napari_microus.core.compare.grid import grid_problem
from napari_microus.core.events import Event, Notice
from napari_microus.core.io.pairing import files_by_case, trailing_number
from napari_microus.core.io.reading import stem_of
from napari_microus.core.mask import as_mask

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_microus.core.volume import Volume

#: ``student_7_repeat.nii.gz`` is the second drawing of ``student_7.nii.gz``.
REPEAT = re.compile(r"[_-]repeat$", re.IGNORECASE)


@dataclass(frozen=True)
class WithinObserver:
    """How far two drawings of one case by one person lie apart.

    Attributes
    ----------
    cases, frames : int
        Cases drawn twice, and their frames in which both drawings show something.
    dice, assd_mm : float
        Means over the cases of their means over frames.
    sd_area_mm2 : float
        Within-observer SD of the area in a frame.
    """

    cases: int
    frames: int
    dice: float
    assd_mm: float
    sd_area_mm2: float

    @property
    def repeatability_mm2(self) -> float:
        """What two areas of one frame differ by at most, in 95 of 100 frames."""
        return 1.96 * math.sqrt(2) * self.sd_area_mm2


def repeats_of(folder: Path) -> dict[str, list[Path]]:
    """Return the repeated drawings of a folder by the case that they repeat."""
    found: dict[str, list[Path]] = {}
    for paths in files_by_case(folder).values():
        for path in paths:
            stem = stem_of(path)
            if REPEAT.search(stem):
                first = REPEAT.sub("", stem)
                found.setdefault(trailing_number(first) or first, []).append(path)
    return found


def compare_repeat(
    name: str, first: Volume, paths: Sequence[Path]
) -> Generator[Event, None, tuple[FrameAgreement, ...]]:
    """Compare a drawing with its repeat, frame by frame.

    Parameters
    ----------
    name : str
        The case's.
    first : Volume
        The first drawing.
    paths : sequence of Path
        Its repeats; several are refused with a notice.

    Returns
    -------
    tuple of FrameAgreement
        Empty where there is none that can be compared.
    """
    from napari_microus.core.io import read_volume

    if not paths:
        return ()
    if len(paths) > 1:
        several = ", ".join(path.name for path in paths)
        yield Notice(f"{several}: several repeats of case {name}; keep one.")
        return ()
    repeat = read_volume(paths[0])
    problem = grid_problem(repeat, first, name="repeat")
    if problem is not None:
        yield Notice(f"The repeat of case {name} is left out. {problem}")
        return ()
    rows = yield from compare_frames(
        as_mask(first.array, name=f"case {name}"),
        as_mask(repeat.array, name=f"the repeat of case {name}"),
        first.spacing_mm,
        expert_value=1,
        nonexpert_value=1,
    )
    return tuple(rows)


def within_observer(
    repeats: Sequence[Sequence[FrameAgreement]],
) -> WithinObserver | None:
    """Sum up repeated drawings; None where no frame was drawn twice.

    Parameters
    ----------
    repeats : sequence of sequence of FrameAgreement
        The rows of each case, from `compare_repeat`; all with a pixel size, or all
        without.

    Notes
    -----
    With d the difference of the two areas of a frame, the SD is
    sqrt(mean of d² / 2): it holds a drift from the first to the second drawing too.

    References
    ----------
    .. [1] J. M. Bland, D. G. Altman, "Statistics notes: measurement error", BMJ
       1996, doi:10.1136/bmj.313.7059.744.
    """
    drawn = [
        [row for row in rows if row.expert_mm2 > 0 and row.nonexpert_mm2 > 0]
        for rows in repeats
    ]
    drawn = [rows for rows in drawn if rows]
    if not drawn:
        return None
    squares = [
        (row.nonexpert_mm2 - row.expert_mm2) ** 2 for rows in drawn for row in rows
    ]
    return WithinObserver(
        cases=len(drawn),
        frames=len(squares),
        dice=float(np.mean([np.mean([row.dice for row in rows]) for rows in drawn])),
        assd_mm=float(
            np.mean([np.nanmean([row.assd_mm for row in rows]) for rows in drawn])
        ),
        sd_area_mm2=math.sqrt(sum(squares) / len(squares) / 2),
    )
