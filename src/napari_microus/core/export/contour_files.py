"""Contours as JSON and CSV, and back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.export.contours import (
    Contour,
    contours_by_frame,
    mask_of_contours,
)
from napari_microus.core.files import atomic_write
from napari_microus.core.sweep import Sweep, sweep_of
from napari_microus.core.sweep_space import frame_affines
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

FORMAT = "napari-microus contours"
VERSION = 1

CONTOUR_SUFFIXES = (".json", ".csv")

# A thousandth of a pixel, and a tenth of a micrometre.
_PX_DIGITS, _MM_DIGITS = 3, 4
_MOST_VOXELS = 1 << 33
_FURTHEST_PX = 1e6

_CSV_PX = ("frame", "contour", "is_hole", "point", "row_px", "column_px")
_CSV_MM = ("y_mm", "x_mm")
_CSV_SPACE = ("right_mm", "anterior_mm", "superior_mm")


def write_contours(
    mask: Volume,
    path: str | Path,
    overwrite: bool = False,
    *,
    level: float = 0.5,
    sweep: Sweep | None = None,
) -> Generator[Event, None, int]:
    """Write the contours of each frame, whole or not at all.

    Parameters
    ----------
    mask : Volume
        A mask, or a probability; see `frame_contours`.
    path : str or Path
        Ends in ``.json`` or ``.csv``.
    overwrite : bool
        Replace a file that is there.
    level : float
        Of a probability.
    sweep : Sweep, optional
        Instead of the one that the metadata states.

    Yields
    ------
    Event
        `Progress` by frames.

    Returns
    -------
    int
        How many contours were written.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.
    OutputError
        If the format is unknown, the file exists, or it cannot be written.

    Notes
    -----
    In pixels always; in mm of the frame where the scan states its pixel size; in RAS mm
    where the place of the frames is known too. ``docs/contours-schema.json`` describes
    the JSON. In CSV each point has a row.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in CONTOUR_SUFFIXES:
        raise OutputError(
            f"Contours must end in one of {', '.join(CONTOUR_SUFFIXES)}; got "
            f"{path.name}. Rename it.",
            plain=(
                f"The name of contours ends in {' or '.join(CONTOUR_SUFFIXES)}; "
                f"this one does not: {path.name}. Rename it."
            ),
        )
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    frames: list[tuple[int, list[Contour]]] = []
    total = len(mask.array)
    for number, contours in contours_by_frame(mask, level=level):
        if contours:
            frames.append((number, contours))
        yield Progress(number + 1, total, message="Outlining the frames")
    affines = _affines(mask, sweep)
    with atomic_write(path, overwrite=overwrite) as beside:
        if suffix == ".json":
            entries = _document(mask, frames, affines, sweep)
            beside.write_text(json.dumps(entries) + "\n", encoding="utf-8")
        else:
            _write_csv(beside, mask, frames, affines)
    return sum(len(contours) for _, contours in frames)


def read_contours(path: str | Path) -> Volume:
    """Return the mask that contours in JSON enclose, on the grid of their scan.

    Raises
    ------
    InputError
        If the file is not ours, or damaged.
    """
    path = Path(path)
    entries = _json(path)
    shape = entries.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) != 3
        or not all(type(n) is int and n > 0 for n in shape)
        or math.prod(shape) > _MOST_VOXELS
    ):
        raise _wrong(path, "shape", "frames, rows and columns")
    array = np.zeros(shape, np.uint8)
    frames = entries.get("frames")
    if not isinstance(frames, list):
        raise _wrong(path, "frames", "a list")
    for frame in frames:
        number = frame.get("frame") if isinstance(frame, dict) else None
        if type(number) is not int or not 0 <= number < shape[0]:
            raise _wrong(path, "frame", f"a number from 0 to {shape[0] - 1}")
        lines = frame.get("contours")
        if not isinstance(lines, list):
            raise _wrong(path, "contours", "a list")
        contours = [Contour(_points(line, path)) for line in lines]
        array[number] |= mask_of_contours(contours, (shape[1], shape[2]))
    return _placed(array, entries, path)


def _document(
    mask: Volume,
    frames: list[tuple[int, list[Contour]]],
    affines: NDArray[np.float64] | None,
    sweep: Sweep | None,
) -> dict[str, Any]:
    has_mm = mask.has_geometry
    _, *pixel_mm = mask.spacing_mm
    sweep = sweep_of(mask.metadata) if sweep is None else sweep
    entries = []
    for number, contours in frames:
        lines = []
        for contour in contours:
            line: dict[str, Any] = {
                "is_hole": contour.is_hole,
                "points_px": _rounded(contour.points_px, _PX_DIGITS),
            }
            if has_mm:
                points = contour.in_frame_mm((pixel_mm[0], pixel_mm[1]))
                line["points_mm"] = _rounded(points, _MM_DIGITS)
            lines.append(line)
        place = None if affines is None else affines[number].tolist()
        entries.append({"frame": number, "affine": place, "contours": lines})
    return {
        "format": FORMAT,
        "version": VERSION,
        "unit": "mm" if has_mm else "px",
        "shape": list(mask.shape),
        "pixel_mm": pixel_mm if has_mm else None,
        "affine": mask.affine.tolist() if has_mm else None,
        "is_oriented": mask.is_oriented and has_mm,
        "knows_frame_distance": mask.knows_frame_distance,
        "sweep": sweep.to_dict(),
        "frames": entries,
    }


def _write_csv(
    path: Path,
    mask: Volume,
    frames: list[tuple[int, list[Contour]]],
    affines: NDArray[np.float64] | None,
) -> None:
    names = [*_CSV_PX, *(_CSV_MM if mask.has_geometry else ())]
    names += [] if affines is None else _CSV_SPACE
    _, height, width = mask.spacing_mm
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(names)
        for frame, contours in frames:
            for number, contour in enumerate(contours):
                columns = [_rounded(contour.points_px, _PX_DIGITS)]
                if mask.has_geometry:
                    points = contour.in_frame_mm((height, width))
                    columns.append(_rounded(points, _MM_DIGITS))
                if affines is not None:
                    points = contour.in_space_mm(affines[frame])
                    columns.append(_rounded(points, _MM_DIGITS))
                start = (frame, number, int(contour.is_hole))
                for point, parts in enumerate(zip(*columns, strict=True)):
                    values = (value for part in parts for value in part)
                    table.writerow((*start, point, *values))


def _affines(mask: Volume, sweep: Sweep | None) -> NDArray[np.float64] | None:
    """Return where the frames lie, None where it is not known."""
    try:
        return frame_affines(mask, sweep=sweep)
    except InputError:
        return None


def _rounded(points: NDArray[np.float64], digits: int) -> list[list[float]]:
    # Adding 0 makes of -0.0 a 0.0.
    rounded: list[list[float]] = (points.round(digits) + 0.0).tolist()
    return rounded


def _json(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        entries = None
    if not isinstance(entries, dict) or entries.get("format") != FORMAT:
        raise InputError(
            f"Contours must be JSON of the format '{FORMAT}'; got {path.name}. Choose "
            "a file that was written as contours.",
            plain=(
                f"{path.name} holds no contours of this program. Choose a file that "
                "was written as contours."
            ),
        )
    if entries.get("version") != VERSION:
        raise InputError(
            f"Contours must be of version {VERSION}; got {entries.get('version')} in "
            f"{path.name}. Update napari-microus, or write them again.",
            plain=(
                f"{path.name} was written by another version of the program. Update "
                "napari-microus, or write the contours again."
            ),
        )
    return entries


def _points(line: Any, path: Path) -> NDArray[np.float64]:
    listed = line.get("points_px") if isinstance(line, dict) else None
    try:
        points = np.array(listed, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    is_line = points.ndim == 2 and points.shape[1:] == (2,) and len(points) > 2
    if not is_line or not (np.abs(points) < _FURTHEST_PX).all():
        raise _wrong(path, "points_px", "three or more pairs of row and column")
    return points


def _placed(array: NDArray[np.uint8], entries: dict[str, Any], path: Path) -> Volume:
    if entries.get("affine") is None:
        return Volume(array, np.diag([-1.0, -1.0, 1.0, 1.0]), False)
    try:
        affine = np.array(entries["affine"], dtype=np.float64)
        metadata: dict[str, Any] = {}
        if not entries.get("knows_frame_distance"):
            metadata["frame_distance"] = "unknown"
        sweep = Sweep.from_dict(entries.get("sweep"))
        if sweep.kind != "unknown":
            metadata["sweep"] = sweep.to_dict()
        oriented = bool(entries.get("is_oriented"))
        return Volume(array, affine, True, metadata, is_oriented=oriented)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(path, "affine and sweep", "those of a scan") from error


def _wrong(path: Path, field: str, what: str) -> InputError:
    return InputError(
        f"Contours must state {field} as {what}; got another in {path.name}. Write the "
        "contours again.",
        plain=(
            f"The contours in {path.name} do not state {field} as {what}. "
            "Write them again."
        ),
    )
