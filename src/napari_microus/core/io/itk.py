"""NRRD and MetaImage through SimpleITK, which is imported only here."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.between_frames import KEY, frames_metadata, frames_text
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.header_limits import check_header
from napari_microus.core.io.nrrd import Header, check_data, read_header
from napari_microus.core.io.raw_header import RawHeader, read_raw_header
from napari_microus.core.io.read_errors import damaged, reports_damage
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE, UNKNOWN_UNIT
from napari_microus.core.volume import UNKNOWN, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NRRD_SUFFIXES = (".nrrd", ".nhdr")
META_SUFFIXES = (".mha", ".mhd")

_READERS = {
    **dict.fromkeys(NRRD_SUFFIXES, ("NrrdImageIO", "NRRD")),
    **dict.fromkeys(META_SUFFIXES, ("MetaImageIO", "MetaImage")),
}

# ITK's physical space is LPS, ours is RAS.
_LPS = np.diag([-1.0, -1.0, 1.0])


def simpleitk() -> Any:
    """Return the module SimpleITK.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return importlib.import_module("SimpleITK")
    except ImportError as error:
        raise InputError(
            "SimpleITK must be installed for NRRD and MetaImage; got none. "
            "Install it (pip install SimpleITK), or use NIfTI.",
            plain=(
                "NRRD and MetaImage cannot be read: SimpleITK is not installed. "
                "Install it (pip install SimpleITK), or use NIfTI."
            ),
        ) from error


def read_itk(path: Path) -> Volume:
    """Read an NRRD or MetaImage file; a .seg.nrrd states its segments' names.

    Raises
    ------
    InputError
        If SimpleITK is missing, the file is damaged or foreign, or holds anything
        but one scan.
    """
    sitk = simpleitk()
    reader = sitk.ImageFileReader()
    image_io, kind = _READERS[path.suffix.lower()]
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    # First: damage that these find makes ITK hang, abort, or invent pixels.
    raw = _checked_header(path, kind)
    check_data(raw)
    header = read_header(raw)
    image, notices = _execute(reader, path, kind)
    return _volume(image, path, header, notices)


def read_itk_grid(
    path: Path,
) -> tuple[tuple[int, int, int], NDArray[np.float64], None] | None:
    """Return shape (Z, Y, X) and affine of a header; None where it is no 3D image."""
    sitk = simpleitk()
    reader = sitk.ImageFileReader()
    image_io, kind = _READERS[path.suffix.lower()]
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        header = read_header(_checked_header(path, kind))
        with _warnings():
            reader.ReadImageInformation()
    except (RuntimeError, InputError):
        return None
    if reader.GetDimension() != 3:
        return None
    affine = _affine(reader)
    if header.factors is None or np.array_equal(affine, np.diag([-1.0, -1.0, 1, 1])):
        return None
    affine[:3] *= header.factors[:, np.newaxis]
    x, y, z = reader.GetSize()
    return (z, y, x), affine, None


def states_itk_frame_distance(path: Path) -> bool:
    """Return whether a header that states a size states the distance of frames too."""
    header = read_header(read_raw_header(path))
    return header.is_frame_distance_known and not header.listed


def write_itk(
    volume: Volume, path: Path, description: str, segments: Sequence[int] | None
) -> None:
    """Write ``volume`` as NRRD or MetaImage; ``segments`` makes it a .seg.nrrd.

    Both formats keep the affine in float64.
    """
    sitk = simpleitk()
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array))
    axes = _LPS @ volume.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((axes / spacing).ravel().tolist())
    image.SetOrigin((_LPS @ volume.affine[:3, 3]).tolist())
    entries = {"microus_description": description}
    between = frames_text(volume)
    if between:
        entries[KEY] = between
    if segments is not None:
        entries |= _segmentation_entries(volume.array, segments)
    for key, value in entries.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO(_READERS[path.suffix.lower()][0])
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    try:
        writer.Execute(image)
    except RuntimeError as error:
        raise OSError("the disk is full or the file is protected") from error
    # ITK does not look whether a disk took all that it wrote of a MetaImage.
    try:
        check_data(read_raw_header(path))
    except InputError as error:
        raise OSError("the disk did not take the whole file") from error


def _checked_header(path: Path, kind: str) -> RawHeader:
    try:
        raw = read_raw_header(path)
        check_header(raw)
    except OSError as error:
        raise damaged(path, kind) from error
    return raw


def _execute(reader: Any, path: Path, kind: str) -> tuple[Any, list[str]]:
    """Return the image, and what ITK warned of while it read it.

    Raises
    ------
    InputError
        If it failed, or warned of damage or of missing parts.
    """
    with _warnings() as said:
        try:
            image = reader.Execute()
        except (RuntimeError, MemoryError) as error:
            raise damaged(path, kind) from error
    for text in said:
        if reports_damage(text):
            raise damaged(path, kind, text)
    return image, [f"ITK says: {text}" for text in said]


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect ITK's warnings, which it would print."""
    sitk = simpleitk()
    said: list[str] = []

    class Listener(sitk.LoggerBase):  # type: ignore[name-defined]
        def DisplayWarningText(self, text: str) -> None:
            said.append(" ".join(text.split("):", 1)[-1].split()))

        def DisplayText(self, text: str) -> None:
            """Drop what is no warning."""

        DisplayErrorText = DisplayText
        DisplayGenericOutputText = DisplayText
        DisplayDebugText = DisplayText

    listener = Listener()
    before = listener.SetAsGlobalITKLogger()
    try:
        yield said
    finally:
        before.SetAsGlobalITKLogger()


def _volume(image: Any, path: Path, header: Header, notices: list[str]) -> Volume:
    sitk = simpleitk()
    array = sitk.GetArrayFromImage(image)
    count = image.GetNumberOfComponentsPerPixel()
    if _is_segmentation(image) and (image.GetDimension() > 3 or count > 1):
        raise InputError(
            "The segments of a file must not overlap; got overlapping ones in "
            f"{path}. Export the one you need as a binary labelmap.",
            plain=(
                f"The segments in {path.name} overlap. Export the one you need alone."
            ),
        )
    is_sequence = header.listed and count > 1
    if is_sequence:
        array = np.moveaxis(array, -1, 0)
        array = array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array
    elif count in (3, 4):
        array, colour = to_grey(array)
        notices = [*notices, *colour]
    elif count > 1:
        raise InputError(
            f"A scan must hold one intensity per pixel; got {count} in {path}. "
            "Save one scan of it alone.",
            plain=(
                f"{path} holds {count} values a pixel, not one. Save one scan of it "
                "alone."
            ),
        )
    shape = array.shape
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim != 3:
        raise InputError(
            "A scan must have three dimensions (frames, rows, columns); got "
            f"{len(shape)} with shape {shape} in {path}. Save one scan of it alone.",
            plain=(
                f"{path} holds no stack of frames, or more than one. Save one scan "
                "of it alone."
            ),
        )
    affine = _affine(image)
    # A header that names no size leaves ITK's identity.
    has_geometry = not np.array_equal(affine, np.diag([-1.0, -1.0, 1.0, 1.0]))
    if header.factors is None:
        has_geometry = False
        notices = [*notices, UNKNOWN_UNIT.format(header.unit)]
    else:
        affine[:3] *= header.factors[:, np.newaxis]
    metadata: dict[str, Any] = {"notices": notices}
    is_distance_unknown = is_sequence or not header.is_frame_distance_known
    if has_geometry and len(array) > 1 and is_distance_unknown:
        affine[:3, 2] /= np.linalg.norm(affine[:3, 2])
        metadata["notices"] = [*notices, NO_FRAME_DISTANCE]
        metadata["frame_distance"] = UNKNOWN
    if image.HasMetaDataKey(KEY):
        between = frames_metadata(image.GetMetaData(KEY), path)
        metadata["notices"] = [*metadata["notices"], *between.pop("notices")]
        metadata |= between
    if image.HasMetaDataKey("microus_description"):
        metadata["description"] = image.GetMetaData("microus_description")
    if _is_segmentation(image):
        metadata["labels"] = _segments(image)
    # Both formats always state how the patient lies.
    return Volume(array, affine, has_geometry, metadata, is_oriented=has_geometry)


def _affine(image: Any) -> NDArray[np.float64]:
    size = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (size, size))
    lps = np.eye(4)
    kept = min(size, 3)
    lps[:kept, :kept] = (direction * image.GetSpacing())[:kept, :kept]
    lps[:kept, 3] = image.GetOrigin()[:kept]
    affine = np.eye(4)
    affine[:3] = _LPS @ lps[:3]
    return affine


def _is_segmentation(image: Any) -> bool:
    return bool(image.HasMetaDataKey("Segment0_ID"))


def _segments(image: Any) -> dict[int, str]:
    """Return the names of a .seg.nrrd's segments by their value in the array."""
    names = {}
    number = 0
    while image.HasMetaDataKey(f"Segment{number}_ID"):
        value, name = number + 1, f"Segment {number + 1}"
        if image.HasMetaDataKey(f"Segment{number}_LabelValue"):
            stated = image.GetMetaData(f"Segment{number}_LabelValue")
            value = int(stated) if stated.isdecimal() else value
        if image.HasMetaDataKey(f"Segment{number}_Name"):
            name = image.GetMetaData(f"Segment{number}_Name")
        names[value] = name
        number += 1
    return names


def _segmentation_entries(
    array: NDArray[Any], segments: Sequence[int]
) -> dict[str, str]:
    """Return the header of 3D Slicer's segmentation file for these label values."""
    z, y, x = array.shape
    extent = f"0 {x - 1} 0 {y - 1} 0 {z - 1}"
    entries = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    named = {1: ("Capsule", "0.9 0.7 0.2"), 255: ("Undecided", "0.6 0.6 0.6")}
    for number, value in enumerate(segments):
        name, colour = named.get(value, (f"Label {value}", "0.4 0.7 0.9"))
        entries |= {
            f"Segment{number}_ID": f"Segment_{value}",
            f"Segment{number}_Name": name,
            f"Segment{number}_NameAutoGenerated": "0",
            f"Segment{number}_Color": colour,
            f"Segment{number}_ColorAutoGenerated": "0",
            f"Segment{number}_LabelValue": str(value),
            f"Segment{number}_Layer": "0",
            f"Segment{number}_Extent": extent,
            f"Segment{number}_Tags": "|",
        }
    return entries
