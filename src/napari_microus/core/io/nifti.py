"""NIfTI files: nibabel's array transposed, and the affine to RAS millimetres.

A header may place its voxels twice, by a quaternion (qform) and by an affine (sform),
each with a code that states which space is meant. The sform counts where its code is
not 0, then the qform, as in nibabel. Where both codes are 0 the file states no place;
the voxels then lie where ITK and 3D Slicer put them, from the origin along LPS. What
is written over a scan gets both forms and codes of that scan back, so that every
program lays the two over each other, whichever form it uses.
"""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.between_frames import KEY, frames_metadata, frames_text
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = (".nii", ".nii.gz")

NO_UNIT = (
    "The file does not state its unit of length; millimetres were taken, as other "
    "programs do. Check a size that you know before you rely on numbers in mm."
)
NO_PLACE = (
    "The file does not state where it lies in the patient (both form codes are 0); it "
    "was placed as ITK and 3D Slicer place it."
)

# Units of length by code (the low three bits of xyzt_units), in mm.
_MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 1e-3}
# A quaternion in float32 may be longer than 1 by this; it is then a turn by 180°.
_QUATERNION_SLACK = -1e-5
# Fields of a header that place its voxels, apart from the spacing.
_PLACE = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
)
# What a scaled whole number may be off by.
_ROUNDING = 1e-3
_CHUNK = 1 << 20


def read_nifti(path: Path, *, as_stored: bool = False) -> Volume:
    """Read one scan or mask.

    A picture (X, Y) becomes one frame, single axes after the third are dropped,
    and lengths in metres or micrometres become mm. A compressed file is inflated to
    its end, so that its checksum is compared.

    Parameters
    ----------
    path : Path
        The file.
    as_stored : bool
        Take the values of a mask as they are stored, where the header scales them.

    Raises
    ------
    InputError
        If the file is damaged or foreign, or holds anything but one scan.
    """
    try:
        with _opened(path) as stream:
            image = _image(stream)
            _check_length(path, image, is_packed=isinstance(stream, gzip.GzipFile))
            array = _labels(image) if as_stored else np.asanyarray(image.dataobj)
            while stream.read(_CHUNK):
                pass  # the checksum of a gzip stream is compared at its end
        header = image.header
        affine, place = _affine(header), _place(header)
    except _damage() as error:
        raise damaged(path, "NIfTI") from error
    notices: list[str] = []
    if array.dtype.names:  # colour is stored as a record of R, G, B (and A)
        channels = np.stack([array[name] for name in array.dtype.names], axis=-1)
        array, notices = to_grey(channels)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(
            f"A scan must hold real numbers; got {array.dtype} in {path}. "
            "Save it as integers or floats.",
            plain=f"{path} holds no grey values. Save it as integers or floats.",
        )
    array = _three_axes(array, path)
    code = int(header["xyzt_units"]) & 7
    # A header that names no unit and no size states nothing.
    is_sized = _is_sized(affine)
    has_geometry = code in _MILLIMETRES or (code == 0 and is_sized)
    if code == 0 and is_sized:
        notices = [*notices, NO_UNIT]
    elif code not in _MILLIMETRES and code != 0:
        notices = [
            *notices,
            f"The file's unit of length is unknown (code {code}); no size is in mm.",
        ]
    if has_geometry and place is not None and not has_nifti_form(place):
        notices = [*notices, NO_PLACE]
    description = bytes(header["descrip"]).rstrip(b"\0").decode("latin-1")
    between = frames_metadata(_comment(header), path)
    notices = [*notices, *between.pop("notices", [])]
    metadata = {**between, "notices": notices, "description": description}
    is_oriented = has_geometry and place is not None and has_nifti_form(place)
    array = array.transpose(2, 1, 0)
    return Volume(array, affine, has_geometry, metadata, place, is_oriented)


def read_nifti_grid(
    path: Path,
) -> tuple[tuple[int, int, int], NDArray[np.float64], dict[str, Any]] | None:
    """Return shape (Z, Y, X), affine and place from a header; None if it has none."""
    try:
        with _opened(path) as stream:
            header = _image(stream).header
        x, y, z = (*header.get_data_shape(), 1, 1)[:3]
        return (int(z), int(y), int(x)), _affine(header), _place(header)
    except _damage():  # whatever is wrong, `read_nifti` says it
        return None


def states_nifti_size(path: Path) -> bool:
    """Return whether a header states the size of a voxel, as `read_nifti` reads it."""
    try:
        with _opened(path) as stream:
            header = _image(stream).header
    except _damage():  # whatever is wrong, `read_nifti` says it
        return False
    code = int(header["xyzt_units"]) & 7
    return code in _MILLIMETRES or (code == 0 and _is_sized(_affine(header)))


def _is_sized(affine: NDArray[np.float64]) -> bool:
    return not np.array_equal(np.abs(affine[:3, :3]), np.eye(3))


def write_nifti(volume: Volume, path: Path, description: str) -> None:
    """Write ``volume`` as NIfTI-1, whose sform holds the affine in float32.

    A volume that lies where its own file put it gets both forms and codes of that
    file. An affine that float32 cannot hold but a quaternion can, as one read from a
    file with a qform alone, is written as such; it then comes back exactly.
    """
    import nibabel as nib

    # NIfTI's first axis runs fastest, as the last one does here: no copy.
    array = volume.array.transpose(2, 1, 0)
    make: Any = nib.Nifti1Image
    place = volume.place if has_same_place(volume) else None
    image = make(array, None if place is not None else volume.affine)
    header = image.header
    header["descrip"] = description.encode("ascii", "replace")[:79]
    if place is not None:
        _put_place(header, place)
    else:
        _put_affine(header, volume)
        image.update_header()
    between = frames_text(volume)
    if between:
        header.extensions.append(
            nib.nifti1.Nifti1Extension("comment", between.encode("ascii"))
        )
    nib.save(image, path)


def _comment(header: Any) -> str:
    """Return the comment in which our files state what lies between frames."""
    start = f'{{"{KEY}"'.encode("ascii")
    for extension in header.extensions:
        content = extension.get_content()
        if isinstance(content, bytes) and content.startswith(start):
            return content.rstrip(b"\0").decode("ascii", "replace")
    return ""


def has_same_place(volume: Volume) -> bool:
    """Return whether a volume still lies where its file's header put it."""
    if volume.place is None or not volume.has_geometry:
        return False
    return any(
        np.allclose(affine, volume.affine, rtol=1e-6, atol=1e-6)
        for affine in affines(volume.place)[:1]
    )


def affines(place: Mapping[str, Any]) -> list[NDArray[np.float64]]:
    """Return every affine to RAS mm that a header states, the one we use first."""
    header = _headers()[0][0].header_class()
    _put_place(header, place)
    found = [_affine(header)]
    if place["qform_code"] > 0 and place["sform_code"] > 0:
        scale = _MILLIMETRES.get(int(place["xyzt_units"]) & 7, 1.0)
        quaternion = np.asarray(header.get_qform(), np.float64)
        quaternion[:3] *= scale
        found.append(quaternion)
    return found


@cache
def _headers() -> list[Any]:
    """Return nibabel's image classes that take a quaternion a little too long."""
    import nibabel as nib

    made = []
    for kind, size in ((nib.Nifti1Image, 348), (nib.Nifti2Image, 540)):
        header = type(
            kind.header_class.__name__,
            (kind.header_class,),
            {"quaternion_threshold": _QUATERNION_SLACK},
        )
        made.append((type(kind.__name__, (kind,), {"header_class": header}), size))
    return made


def _damage() -> tuple[type[Exception], ...]:
    """Return what nibabel raises on files whose bytes were changed."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    return (
        *(OSError, EOFError, zlib.error, MemoryError, OverflowError),
        *(ValueError, KeyError, TypeError, ImageFileError, HeaderDataError),
        WrapStructError,
    )


def _opened(path: Path) -> Any:
    """Open a file; one that is packed is inflated, whatever its name says."""
    file = path.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return gzip.open(path)
    file.seek(0)
    return file


def _image(stream: Any) -> Any:
    start = stream.read(4)
    stream.seek(0)
    sizes = {int.from_bytes(start, order) for order in ("little", "big")}
    for kind, size in _headers():
        if size in sizes:
            return kind.from_stream(stream)
    raise ValueError("neither a NIfTI-1 nor a NIfTI-2 header")


def _labels(image: Any) -> NDArray[Any]:
    """Return a mask's values as stored; where an intercept moves 0, as scaled."""
    if image.dataobj.inter == 0:
        return np.asanyarray(image.dataobj.get_unscaled())
    scaled = np.asanyarray(image.dataobj)
    whole = np.rint(scaled)
    is_whole = bool(np.abs(scaled - whole).max(initial=0) < _ROUNDING)
    return whole if is_whole else scaled


def _affine(header: Any) -> NDArray[np.float64]:
    """Return the affine to RAS mm."""
    if header["qform_code"] > 0 or header["sform_code"] > 0:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
    else:
        x, y, z = (float(abs(size)) or 1.0 for size in header["pixdim"][1:4])
        affine = np.diag([-x, -y, z, 1.0])
    affine[:3] *= _MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    return affine


def _place(header: Any) -> dict[str, Any]:
    """Return the fields that place the voxels, as plain numbers."""
    place = {name: np.asarray(header[name]).tolist() for name in _PLACE}
    place["pixdim"] = [float(size) for size in header["pixdim"][:4]]
    place["xyzt_units"] = int(header["xyzt_units"])
    return place


def has_nifti_form(place: Mapping[str, Any]) -> bool:
    """Return whether a header's fields state where its voxels lie in the patient."""
    return bool(place["qform_code"] > 0 or place["sform_code"] > 0)


def _put_place(header: Any, place: Mapping[str, Any]) -> None:
    for name in _PLACE:
        header[name] = place[name]
    header["pixdim"][:4] = place["pixdim"]
    header["xyzt_units"] = place["xyzt_units"]


def _put_affine(header: Any, volume: Volume) -> None:
    header.set_xyzt_units("mm" if volume.has_geometry else 0)
    # Sheared axes have no quaternion; the nearest turn stands in for programs
    # that read no sform.
    header.set_qform(volume.affine, code=1, strip_shears=True)
    header.set_sform(volume.affine, code=1)
    if not np.array_equal(header.get_sform(), volume.affine) and np.array_equal(
        header.get_qform(), volume.affine
    ):
        header.set_sform(None, code=0)


def _check_length(path: Path, image: Any, *, is_packed: bool) -> None:
    """Refuse a file that is shorter than its header says, before memory is asked."""
    offset = image.dataobj.offset
    size = int(np.prod(image.shape, dtype=object)) * image.get_data_dtype().itemsize
    if is_packed:
        # Deflate packs at most about 1032 to 1.
        length = path.stat().st_size * 1040
    else:
        length = path.stat().st_size
    if length < offset + size:
        raise EOFError(f"{length} bytes for {size}")


def _three_axes(array: NDArray[Any], path: Path) -> NDArray[Any]:
    shape = array.shape
    if array.size == 0:
        raise InputError(
            f"A scan must have at least one frame with pixels; got none in {path}. "
            "Export it again.",
            plain=f"{path} is empty. Export it again.",
        )
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3:
        raise InputError(
            "A scan must have three dimensions (columns, rows, frames); got "
            f"{len(shape)} with shape {shape} in {path}. Save one scan of it alone.",
            plain=(
                f"{path} holds no stack of frames, or more than one. Save one scan "
                "of it alone."
            ),
        )
    return array
