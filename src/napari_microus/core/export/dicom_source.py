"""The DICOM that a scan was read from, for results that point back to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io import placed_on, read_scan_properties
from napari_microus.core.io.dicom import (
    DICOM_SUFFIXES,
    check_alike,
    dicom_grid,
    scan_files,
)
from napari_microus.core.io.dicom_header import (
    frame_count,
    frame_shape,
    is_segmentation,
    items,
    numbers,
    value_of,
)
from napari_microus.core.io.dicom_size import stated_lengths
from napari_microus.core.io.scan_properties import with_properties
from napari_microus.core.mask import IGNORE_VALUE, as_mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.io import ScanProperties
    from napari_microus.core.io.dicom import Files
    from napari_microus.core.io.dicom_regions import RegionChoice
    from napari_microus.core.volume import Volume

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class SourceFrame:
    """One frame of the scan.

    Parameters
    ----------
    header : Dataset
        Of its file.
    number : int or None
        Its number in a file of several frames, from 1; None in one of a single frame.
    position : tuple of float or None
        The centre of its first pixel in the patient, in mm (LPS).
    orientation : tuple of float or None
        Directions in which columns and rows run in the patient (LPS).
    """

    header: Any
    number: int | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None


@dataclass(frozen=True)
class DicomSource:
    """The files of a scan with what a result needs of them.

    Parameters
    ----------
    path : Path
        What was given: a file or a folder.
    files : list of (Path, Dataset)
        With their headers, in the order of the frames.
    frames : tuple of SourceFrame
        In the order of the scan.
    properties : ScanProperties
        What a person stated about the scan.
    """

    path: Path
    files: Files
    frames: tuple[SourceFrame, ...]
    properties: ScanProperties

    @property
    def header(self) -> Any:
        """The header of the first file."""
        return self.files[0][1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows and columns of the whole pictures."""
        return len(self.frames), *frame_shape(self.header)

    @property
    def frame_of_reference(self) -> str | None:
        """Its UID, where every frame states its place in the patient; else None."""
        uids = {
            str(value_of(header, "FrameOfReferenceUID")) for _, header in self.files
        }
        is_placed = all(
            frame.position is not None and frame.orientation is not None
            for frame in self.frames
        )
        return (
            uids.pop() if is_placed and len(uids) == 1 and "None" not in uids else None
        )

    @property
    def file_grid(self) -> Volume:
        """Where the voxels of the whole pictures lie, by the files' own word."""
        return dicom_grid(self.files, region="whole")

    @property
    def pixel_mm(self) -> tuple[float, float] | None:
        """Height and width of a pixel, as other programs read the file."""
        stated_mm = stated_lengths(self.header).get("PixelSpacing")
        if stated_mm is not None and min(stated_mm) > 0:
            return stated_mm[0], stated_mm[1]
        grid = self.file_grid
        return grid.spacing_mm[1:] if grid.has_geometry else None

    def grid(self, region: RegionChoice = "whole") -> Volume:
        """Return where the scan's voxels lie, as it is read with ``region``."""
        return with_properties(dicom_grid(self.files, region=region), self.properties)


def open_source(path: str | Path | Sequence[str | Path]) -> DicomSource:
    """Return the DICOM of a scan.

    Parameters
    ----------
    path : str, Path or sequence of those
        What `read_volume` read the scan from.

    Raises
    ------
    InputError
        If it is missing, no DICOM, no scan, of several patients or series, or lacks
        the UIDs by which a result refers to it.
    """
    is_one = isinstance(path, (str, Path))
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    for one in paths:
        if not one.exists():
            raise InputError(
                "The DICOM of the scan must still be there, since the result refers "
                f"to it; got {one}, which is missing. Give its new place.",
                plain=(
                    "The DICOM file of the scan has gone. Put it back, or say "
                    "where it is."
                ),
            )
        if one.is_file() and not _is_dicom(one):
            raise InputError(
                "A DICOM result must refer to the DICOM of its scan; got "
                f"{one.name}, which is none. Give the DICOM that the scan came from, "
                "or save the mask as .nii.gz or .seg.nrrd.",
                plain=(
                    "The scan is no DICOM, so that no DICOM result can refer to "
                    "it. Save the mask as .nii.gz or .seg.nrrd."
                ),
            )
    files, _ = scan_files(paths[0] if is_one else paths)
    check_alike(files)
    _check_one_series(files, paths[0])
    shared = paths[0] if is_one else paths[0].parent
    frames = tuple(frame for _, header in files for frame in _frames_of(header))
    return DicomSource(shared, files, frames, read_scan_properties(shared))


def whole_frames(mask: Volume, source: DicomSource) -> Iterator[NDArray[np.bool_]]:
    """Return a mask frame by frame, each of the size of the whole picture.

    Parameters
    ----------
    mask : Volume
        On the grid of the scan as it is read: cut to its tissue, or whole.
    source : DicomSource
        The scan.

    Returns
    -------
    iterator of ndarray of bool, shape (rows, columns)
        One frame is made at a time.

    Raises
    ------
    InputError
        If the mask is empty, undecided somewhere, or of another grid.
    """
    array, (row, column) = _placed(mask, source)
    _, rows, columns = source.shape

    def frames() -> Iterator[NDArray[np.bool_]]:
        for frame in array:
            whole = np.zeros((rows, columns), bool)
            height, width = frame.shape
            whole[row : row + height, column : column + width] = frame != 0
            yield whole

    return frames()


def check_drawn_on(
    provenance: Mapping[str, Any] | None, source: DicomSource, *, renamed: bool = False
) -> None:
    """Refuse a mask whose provenance names another file than its scan's.

    Raises
    ------
    InputError
        If it does, unless the file was ``renamed``.
    """
    named = str((provenance or {}).get("image", ""))
    if renamed or not named.lower().endswith(DICOM_SUFFIXES):
        return
    names = [path.name for path, _ in source.files]
    if named not in (*names, source.path.name):
        raise InputError(
            "The scan must be the one that the mask was drawn on; its provenance "
            f"names {named}, got {source.path.name}. Choose that file, or say that it "
            "was renamed.",
            plain=(
                f"The mask was drawn on {named}, and this scan is {source.path.name}. "
                "Choose that file, or say that it was renamed."
            ),
        )


def _placed(
    mask: Volume, source: DicomSource
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return a mask on the scan's voxels, and where they begin in the whole picture."""
    grids = _grids(source)
    fits, errors = [], []
    for grid, start in grids:
        try:
            fits.append((placed_on(mask, grid), grid, start))
        except InputError as error:
            errors.append(error)
    if not fits:
        raise errors[0]
    if len(fits) > 1:  # one is left where the mask lies, not only is as large
        exact = [fit for fit in fits if mask.shares_grid(fit[1])]
        if len(exact) != 1:
            raise InputError(
                "The mask must state in which region of the picture it lies; got one "
                f"that fits {len(fits)} regions. Draw it on the whole picture.",
                plain=(
                    f"The mask fits {len(fits)} regions of the picture alike. Draw "
                    "it on the whole picture."
                ),
            )
        fits = exact
    placed, _, start = fits[0]
    array = as_mask(placed.array, name="the mask")
    undecided = int(np.count_nonzero(array == IGNORE_VALUE))
    if undecided:
        raise InputError(
            f"A mask must be decided everywhere; got {undecided} undecided pixels "
            f"({IGNORE_VALUE}). Decide them first.",
            plain=f"{undecided} pixels are undecided. Decide them first.",
        )
    if not array.any():
        raise InputError(
            "A mask must show the prostate in one frame at least; got an empty one. "
            "Segment or draw it first.",
            plain="Nothing is drawn yet. Segment or draw the capsule first.",
        )
    return array, start


def _grids(source: DicomSource) -> list[tuple[Volume, tuple[int, int]]]:
    """Return the grids on which the scan can be read, and where each begins."""
    whole = source.grid("whole")
    found = [(whole, (0, 0))]
    region = 0
    while True:
        try:
            grid = source.grid(region)
        except InputError:
            break
        stated_region = grid.metadata.get("region")
        if stated_region is not None and grid.shape != whole.shape:
            start = stated_region["rows"][0], stated_region["columns"][0]
            found.insert(0, (grid, start))
        region += 1
    return found


def _is_dicom(path: Path) -> bool:
    if path.name.lower().endswith(DICOM_SUFFIXES) or path.name.upper() == "DICOMDIR":
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _check_one_series(files: Files, path: Path) -> None:
    for keyword, words in (
        ("PatientID", "patient"),
        ("StudyInstanceUID", "study"),
        ("SeriesInstanceUID", "series"),
    ):
        found = {str(value_of(header, keyword)) for _, header in files}
        if len(found) > 1:
            raise InputError(
                f"The files of a scan must be of one {words}; got {len(found)} in "
                f"{path.name}. Give those of one alone.",
                plain=(
                    f"{path.name} holds files of more than one {words}. Give those "
                    "of one alone."
                ),
            )
    for file, header in files:
        if is_segmentation(header):
            raise InputError(
                "A result must refer to the scan; got a DICOM Segmentation, "
                f"{file.name}. Give the DICOM of the scan.",
                plain=(
                    f"{file.name} is a DICOM Segmentation and no scan. Give the "
                    "DICOM of the scan."
                ),
            )
        lacking = [keyword for keyword in _NEEDED if value_of(header, keyword) is None]
        if lacking:
            raise InputError(
                "A DICOM file must state its UIDs to be referred to; got none for "
                f"{', '.join(lacking)} in {file.name}. Export it again.",
                plain=(
                    f"{file.name} lacks the numbers by which a result refers to it. "
                    "Export it again."
                ),
            )


def _frames_of(header: Any) -> list[SourceFrame]:
    count = frame_count(header)
    position = numbers(header, "ImagePositionPatient", 3)
    orientation = numbers(header, "ImageOrientationPatient", 6)
    own = items(header, "PerFrameFunctionalGroupsSequence")
    shared = items(header, "SharedFunctionalGroupsSequence")[:1]
    if count == 1 and not own:
        return [SourceFrame(header, None, position, orientation)]
    frames = []
    for k in range(count):
        groups = [*own[k : k + 1], *shared]
        place = _of(groups, "PlanePositionSequence", "ImagePositionPatient", 3)
        turned = _of(groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        number = k + 1 if count > 1 else None
        frames.append(SourceFrame(header, number, place, turned))
    return frames


def _of(
    groups: Sequence[Any], sequence: str, keyword: str, count: int
) -> tuple[float, ...] | None:
    for group in groups:
        for item in items(group, sequence):
            found = numbers(item, keyword, count)
            if found is not None:
                return found
    return None
