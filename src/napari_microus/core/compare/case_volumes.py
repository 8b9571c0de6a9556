"""Read the scan and two annotations of a case of the work list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.table import StudyCase

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.compare.work_list import ListedCase
    from napari_microus.core.volume import Volume

_STEPS = 3


@dataclass(frozen=True, eq=False)
class CaseVolumes:
    """A scan and two annotations (0, 1, 255) on one grid.

    The scan is None where the folder holds masks alone.
    """

    scan: Volume | None
    expert: Volume
    nonexpert: Volume


def read_case(
    case: ListedCase, expert: str, nonexpert: str
) -> Generator[Event, None, CaseVolumes]:
    """Read a case, with the pixel size that its study states.

    Parameters
    ----------
    case : ListedCase
        Of `work_list`.
    expert, nonexpert : str
        The two annotators that are compared.

    Yields
    ------
    Progress
        Before each file.

    Raises
    ------
    InputError
        If an annotator has not drawn the case, a file cannot be read, or a mask is
        not on the scan's grid, or, without a scan, not on the expert's.
    """
    missing = [name for name in (expert, nonexpert) if name not in case.masks]
    if missing:
        drawn = ", ".join(f"'{name}'" for name in case.masks) or "none"
        raise InputError(
            f"A case to compare must have both annotations; got {drawn} for case "
            f"'{case.case}', not '{missing[0]}'. Add the mask, or choose other "
            "annotators.",
            plain=(
                f"Case '{case.case}' has no mask of '{missing[0]}'. Add the mask, "
                "or choose other annotators."
            ),
        )
    yield _step(0)
    scan = read_case_scan(case)
    yield _step(1)
    first = read_case_mask(case, expert, scan)
    yield _step(2)
    second = read_case_mask(case, nonexpert, first if scan is None else scan)
    return CaseVolumes(scan, first, second)


def _step(done: int) -> Progress:
    return Progress(done, _STEPS, "files", "Reading")


def read_case_scan(case: ListedCase) -> Volume | None:
    """Read a case's scan with the pixel size that its study states.

    Returns
    -------
    Volume or None
        None where the folder holds masks alone.

    Raises
    ------
    InputError
        If the file cannot be read, or states another pixel size itself.
    """
    if case.scan is None:
        return None
    try:
        return _study().read_scan(_line(case, case.scan))
    except InputError as error:
        raise error.at(f"Case '{case.case}'") from error


def read_case_mask(case: ListedCase, annotator: str, grid: Volume | None) -> Volume:
    """Read what one annotator drew of a case, as 0, 1 and 255.

    Parameters
    ----------
    case : ListedCase
        Of `work_list`.
    annotator : str
        One of ``case.masks``.
    grid : Volume or None
        The scan that it must lie on; without one, the mask lies where its file says.

    Raises
    ------
    InputError
        If the file cannot be read or the mask lies elsewhere.
    """
    from napari_microus.core.io import read_mask

    path = case.masks[annotator]
    if grid is not None:
        mask = _study().read_mask(_line(case), str(path), grid)
    else:
        try:
            mask = read_mask(path)
        except InputError as error:
            raise error.at(f"Case '{case.case}' ({path})") from error
    # Pictures come read-only; nobody could paint in them.
    array = mask.array if mask.array.flags.writeable else mask.array.copy()
    stated = {**mask.metadata, "source": str(path)}
    return replace(mask, array=array, metadata=stated)


def _study() -> Study:
    """Return a study in whose eyes a path is what it is to this process."""
    return Study(Path())


def _line(case: ListedCase, scan: Path | None = None) -> StudyCase:
    return StudyCase(case.case, "", str(scan or ""), spacing_mm=case.spacing_mm)
