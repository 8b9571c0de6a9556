"""Write phantom cases as NIfTI, one folder each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Finished, Progress
from napari_microus.core.phantom.annotators import AnnotatorStyle
from napari_microus.core.phantom.case import PhantomCase, make_phantom

if TYPE_CHECKING:
    from collections.abc import Generator

SCAN, EXPERT, NONEXPERT = "scan.nii.gz", "expert.nii.gz", "nonexpert.nii.gz"


def write_phantoms(
    folder: str | Path,
    *,
    seed: int = 0,
    count: int = 1,
    frames: int = 30,
    shape: tuple[int, int] = (481, 686),
    style: str = "cautious",
    overwrite: bool = False,
) -> Generator[Event, None, list[Path]]:
    """Make cases and write each to a folder of its own, reporting progress.

    Parameters
    ----------
    folder : path
        Where ``phantom_SEED/{scan,expert,nonexpert}.nii.gz`` are written.
    seed, count : int
        Seed of the first case, and number of cases; seeds count up by one.
    frames, shape
        See `make_phantom`.
    style : str
        An `AnnotatorStyle`, or ``"all"`` for one after the other.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    list of Path
        The folders written.

    Raises
    ------
    InputError
        If ``count`` is not positive, or `make_phantom` refuses an argument.
    OutputError
        If a file exists and ``overwrite`` is False, or it cannot be written.
    """
    if count < 1:
        raise InputError(
            f"The count must be at least 1; got {count}. Ask for one.",
            plain=f"{count} phantoms are none. Ask for one or more.",
        )
    styles = list(AnnotatorStyle) if style == "all" else [style]
    folders = [Path(folder) / f"phantom_{seed + i:04d}" for i in range(count)]
    if not overwrite:
        for place in folders:
            _refuse_existing(place)
    for index, place in enumerate(folders):
        yield Progress(index, count, "cases", f"Phantom {seed + index}")
        case = make_phantom(
            seed + index,
            frames=frames,
            shape=shape,
            annotator_style=styles[index % len(styles)],
        )
        write_case(case, place, overwrite=overwrite)
    yield Progress(count, count, "cases", "Phantoms written")
    yield Finished({"folders": [str(place) for place in folders]})
    return folders


def write_case(
    case: PhantomCase, folder: str | Path, *, overwrite: bool = False
) -> None:
    """Write the scan and both masks of a case as NIfTI into ``folder``.

    ``scan.json`` beside them says that the case is synthetic and how it was made.

    Raises
    ------
    OutputError
        If a file exists and ``overwrite`` is False, or it cannot be written.
    """
    from napari_microus.core.io import write_mask, write_volume

    folder = Path(folder)
    if not overwrite:
        _refuse_existing(folder)
    made = {"synthetic": True, **case.scan.metadata}
    write_volume(case.scan, folder / SCAN, overwrite, provenance=made)
    write_mask(case.expert, folder / EXPERT, overwrite)
    write_mask(case.nonexpert, folder / NONEXPERT, overwrite)


def _refuse_existing(folder: Path) -> None:
    for name in (SCAN, EXPERT, NONEXPERT):
        path = folder / name
        if path.exists():
            raise OutputError(
                f"{path} already exists. Choose another name, or overwrite it."
            )
