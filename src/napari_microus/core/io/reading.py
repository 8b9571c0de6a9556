"""Read a scan from a file or a folder of any supported format."""

from __future__ import annotations

from dataclasses import replace
from os.path import exists, isdir
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io.blanking import blanked
from napari_microus.core.io.dicom import DICOM_SUFFIXES, read_dicom
from napari_microus.core.io.dicom_series import dicom_files, is_directory
from napari_microus.core.io.frames import (
    FRAME_SUFFIXES,
    frames_in,
    natural_key,
    read_frame,
    read_frames,
)
from napari_microus.core.io.itk import (
    META_SUFFIXES,
    NRRD_SUFFIXES,
    read_itk,
)
from napari_microus.core.io.names import stem_of, suffix_of
from napari_microus.core.io.nifti import SUFFIXES as NIFTI_SUFFIXES
from napari_microus.core.io.nifti import read_nifti
from napari_microus.core.io.scan_properties import PIXEL_BOUNDS_MM, with_properties
from napari_microus.core.io.scan_sidecar import read_scan_properties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.io.blanking import Rectangle
    from napari_microus.core.io.dicom_regions import RegionChoice
    from napari_microus.core.volume import Volume

__all__ = [
    "READABLE",
    "is_readable",
    "read_stored",
    "read_volume",
    "read_without_sidecar",
    "stem_of",
    "suffix_of",
]

READABLE = (
    *NIFTI_SUFFIXES,
    *NRRD_SUFFIXES,
    *META_SUFFIXES,
    *FRAME_SUFFIXES,
    *DICOM_SUFFIXES,
)


def is_readable(path: str | Path) -> bool:
    """Return by name, or by what a folder holds, whether `read_volume` supports it."""
    path = Path(path)
    if not isdir(path):
        return path.name.lower().endswith(READABLE) or is_directory(path)
    try:
        return bool(frames_in(path)) or bool(dicom_files(path))
    except (OSError, InputError):
        return False


def read_volume(
    path: str | Path | Sequence[str | Path], *, region: RegionChoice = "crop"
) -> Volume:
    """Read a scan, a mask or a probability map.

    Parameters
    ----------
    path : str, Path, or sequence of those
        NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr, .seg.nrrd), MetaImage (.mha,
        .mhd), DICOM (.dcm, DICOMDIR), one picture (.png, .jpg, .bmp), a TIFF frame
        or stack, a folder of pictures or of one DICOM series, or pictures (or DICOM
        files of one series) to be stacked in natural order.
    region : {"crop", "mask", "whole"} or int
        What of a DICOM ultrasound picture is read, see `dicom.read_dicom`.

    Returns
    -------
    Volume
        Array (Z, Y, X) as SimpleITK and a transposed nibabel array have it;
        colour became grey. ``metadata`` holds ``source`` and ``notices``, the
        sentences the user should see. NaN is kept. What a person stated about the
        scan, see `scan_sidecar`, goes before what its file states.

    Raises
    ------
    InputError
        If the path is missing, empty, damaged, foreign, or holds anything but one
        scan; or if SimpleITK is needed and missing.
    """
    if isinstance(path, (str, Path)):
        return _with_sidecar(
            _read(Path(path), region=region), Path(path), region=region
        )
    paths = sorted(map(Path, path), key=natural_key)
    for one in paths:
        _check_file(one)
    is_dicom = (suffix_of(one) in DICOM_SUFFIXES or _is_dicom(one) for one in paths)
    if paths and all(is_dicom):
        folder = paths[0].parent
        return _with_sidecar(read_dicom(paths, region=region), folder, region=region)
    return _with_sidecar(read_frames(paths), paths[0].parent)


def read_without_sidecar(path: str | Path) -> Volume:
    """Read a scan as its file states it, without what a person stated about it."""
    return _read(Path(path))


read_as_told = read_without_sidecar  # its name before, for one release


def read_stored(path: str | Path, *, label: int | str | None = None) -> Volume:
    """Read an annotation with the values that are stored in its file.

    A scan's palette, inverted grey scale, transparency or scaling make intensities;
    a mask's values are labels, whatever they would look like. Of a DICOM Segmentation
    ``label`` is read alone, since segments may overlap. See `read_volume` for formats
    and errors.
    """
    volume = _read(Path(path), as_stored=True, segment=label)
    return _with_sidecar(volume, Path(path), is_mask=True)


def _with_sidecar(
    volume: Volume,
    path: Path,
    *,
    is_mask: bool = False,
    region: RegionChoice = "crop",
) -> Volume:
    notices = volume.metadata.get("notices", [])
    metadata = {**volume.metadata, "source": str(path), "notices": notices}
    volume = replace(volume, metadata=metadata)
    properties = read_scan_properties(path)
    if not is_mask and properties.pixel_mm is None:
        volume = _with_doubt(volume)
    if properties.is_empty:
        return volume
    if properties.blank and not is_mask:
        # The rows and columns stated are those of the scan as it is opened.
        if region != "crop":
            raise InputError(
                "A scan with parts to blank out must be read as it is opened; got "
                f"region='{region}'. Leave the region out, or --blank none.",
                plain=(
                    "Parts of this scan are to be blanked out, which goes together "
                    f"with the picture as it is opened, not with region '{region}'. "
                    "Leave the region out, or write --blank none."
                ),
            )
        volume = _without(volume, properties.blank)
    return with_properties(volume, properties, is_mask=is_mask)


def _with_doubt(volume: Volume) -> Volume:
    """Return a scan with a notice where its file states a size that cannot be right."""
    low, high = PIXEL_BOUNDS_MM
    sizes = volume.spacing_mm[1:]
    if not volume.has_geometry or all(low <= size <= high for size in sizes):
        return volume
    stated = " × ".join(f"{size:.4g}" for size in sizes)
    notice = (
        f"The file states pixels of {stated} mm, which cannot be right. Set the pixel "
        "size before you rely on numbers in mm."
    )
    notices = [*volume.metadata["notices"], notice]
    return replace(volume, metadata={**volume.metadata, "notices": notices})


def _without(volume: Volume, parts: Sequence[Rectangle]) -> Volume:
    """Return a scan whose parts are 0, and say so."""
    notice = f"{len(parts)} part{'s' * (len(parts) > 1)} of the picture blanked out."
    notices = [*volume.metadata["notices"], notice]
    return replace(
        volume,
        array=blanked(volume.array, parts),
        metadata={**volume.metadata, "notices": notices},
    )


def _read(
    path: Path,
    *,
    as_stored: bool = False,
    region: RegionChoice = "crop",
    segment: int | str | None = None,
) -> Volume:
    if isdir(path):
        return _read_folder(path, as_stored, region)
    _check_file(path)
    suffix = suffix_of(path)
    if suffix in NIFTI_SUFFIXES:
        return read_nifti(path, as_stored=as_stored)
    if suffix in FRAME_SUFFIXES:
        return read_frame(path, as_stored=as_stored)
    if suffix in DICOM_SUFFIXES or is_directory(path) or _is_dicom(path):
        return read_dicom(path, region=region, as_stored=as_stored, segment=segment)
    if path.name.lower().endswith(READABLE):
        return read_itk(path)
    raise InputError(
        f"A scan must be in a known format; got {path}. Known are "
        f"{', '.join(READABLE)}, and folders of pictures or of DICOM files.",
        plain=f"Cannot open {path.name}: this kind of file is not known here. Choose a "
        "DICOM, NIfTI, NRRD or MetaImage file, pictures (PNG, JPEG, BMP, TIFF), or a "
        "folder of them.",
    )


def _read_folder(folder: Path, as_stored: bool, region: RegionChoice) -> Volume:
    try:
        frames, dicom = frames_in(folder), dicom_files(folder)
    except OSError as error:
        raise InputError(
            f"A folder of frames must be readable; got {folder} ({error.strerror}). "
            "Check its permissions.",
            plain=f"Cannot open the folder {folder.name} ({error.strerror}). Ask for "
            "permission to read it, or copy it elsewhere.",
        ) from error
    if frames:
        for path in frames:
            _check_file(path)
        return read_frames(frames, as_stored=as_stored)
    if dicom:
        return read_dicom(folder, region=region, as_stored=as_stored)
    raise InputError(
        f"A folder must hold frames ({', '.join(FRAME_SUFFIXES)}) or DICOM files; "
        f"got none in {folder}. Choose another folder, or one file.",
        plain=f"There are no pictures and no DICOM files in {folder.name}. Choose the "
        "folder in which the frames themselves lie, or one file.",
    )


def _check_file(path: Path) -> None:
    if not exists(path):
        raise InputError(
            f"The file must exist; got {path}. Check the path.",
            plain=f"There is no file {path}. It may have been moved or renamed: choose "
            "it again.",
        )
    try:
        with path.open("rb") as file:
            start = file.read(1)
    except OSError as error:
        raise InputError(
            f"The file must be readable; got {path} ({error.strerror}). "
            "Check its permissions.",
            plain=f"Cannot read {path.name} ({error.strerror}). Ask for permission to "
            "read it, or copy it elsewhere.",
        ) from error
    if not start:
        raise InputError(
            f"The file must hold a scan; got {path}, which is empty. "
            "Copy or export it again.",
            plain=f"{path.name} is empty. Copy or export it again.",
        )


def _is_dicom(path: Path) -> bool:
    """Recognise by the four letters after DICOM's preamble."""
    if path.suffix.lower() in (*READABLE, ".gz"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
