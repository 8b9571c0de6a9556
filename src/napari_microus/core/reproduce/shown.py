"""The frames that the figures show, with the outlines on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.reproduce.published import published_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.study import Study, StudyCase

#: Test cases of the first paper's Figures 5 and 6.
IN_THE_PAPER = (4, 11, 14, 17, 18, 19)
_MOST = len(IN_THE_PAPER)
_SAMPLES = 8


@dataclass
class ShownFrame:
    """One frame of a case and who drew what on it.

    Attributes
    ----------
    case : str
    frame : int
        Its index: the frame with the largest outline of the expert.
    image : ndarray, shape (Y, X)
    expert : ndarray, shape (Y, X)
        The expert's mask.
    aspect : float
        Height of a pixel over its width.
    masks : dict of str to ndarray
        Masks (Y, X) of recipes or annotators.
    """

    case: str
    frame: int
    image: NDArray[Any]
    expert: NDArray[Any]
    aspect: float
    masks: dict[str, NDArray[Any]] = field(default_factory=dict)


def cases_to_show(cases: Sequence[str]) -> list[str]:
    """Return the cases of the paper's figures where they are, else some of ours."""
    named = [case for case in cases if published_number(case) in IN_THE_PAPER]
    if named:
        return sorted(named)
    chosen = np.linspace(0, len(cases) - 1, min(_MOST, len(cases))).round().astype(int)
    return [cases[index] for index in chosen]


def frame_of(study: Study, case: StudyCase, *, differing: bool = False) -> ShownFrame:
    """Return the frame of a case on which the expert's outline is largest.

    With ``differing``, of those on which the non-expert drew another, where there are.
    """
    scan, expert, nonexpert = study.read(case)
    areas = (expert.array == 1).sum((1, 2))
    if differing and nonexpert is not None:
        is_other = (expert.array != nonexpert.array).any((1, 2))
        areas = np.where(is_other, areas, -1) if is_other.any() else areas
    frame = int(np.argmax(areas))
    _, height, width = scan.spacing_mm
    shown = ShownFrame(
        case.case,
        frame,
        np.asarray(scan.array[frame]),
        expert.array[frame] == 1,
        height / width if scan.has_geometry else 1.0,
    )
    if nonexpert is not None:
        shown.masks["non-expert"] = nonexpert.array[frame] == 1
    return shown


def sample_frames(study: Study) -> list[ShownFrame]:
    """Return a frame of some of the cases that have an expert's mask."""
    cases = [case for case in study.used if case.expert]
    count = min(_SAMPLES, len(cases))
    chosen = np.linspace(0, len(cases) - 1, count).round().astype(int)
    return [frame_of(study, cases[index], differing=True) for index in chosen]
