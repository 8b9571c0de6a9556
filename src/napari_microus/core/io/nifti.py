"""NIfTI files: nibabel's array transposed, and the affine to RAS millimetres."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = (".nii", ".nii.gz")

# The code of a header's unit of length, and what it is in mm.
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}


def read_nifti(path: Path) -> Volume:
    """Read one scan or mask.

    A picture (X, Y) becomes one frame, single axes after the third are dropped,
    and lengths in metres or micrometres become mm.

    Raises
    ------
    InputError
        If the file is damaged or foreign, or holds anything but one scan.
    """
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        image: Any = nib.load(path, mmap=False)
        _check_length(path, image)
        array = np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=np.float64)
    except (
        *(OSError, EOFError, zlib.error, MemoryError, OverflowError),
        *(ValueError, KeyError, ImageFileError, HeaderDataError),
    ) as error:
        raise damaged(path, "NIfTI") from error
    notices: list[str] = []
    if array.dtype.names:  # colour is stored as a record of R, G, B (and A)
        channels = np.stack([array[name] for name in array.dtype.names], axis=-1)
        array, notices = to_grey(channels)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(
            f"A scan must hold real numbers; got {array.dtype} in {path}. "
            "Save it as integers or floats."
        )
    array = _three_axes(array, path)
    unit = _unit(image.header)
    affine[:3] *= _MILLIMETRES.get(unit, 1.0)
    # A header that names no unit and no size tells nothing.
    has_geometry = unit != "unknown" or not np.array_equal(
        np.abs(affine[:3, :3]), np.eye(3)
    )
    description = bytes(image.header["descrip"]).rstrip(b"\0").decode("latin-1")
    metadata = {"notices": notices, "description": description}
    return Volume(array.transpose(2, 1, 0), affine, has_geometry, metadata)


def write_nifti(volume: Volume, path: Path, description: str) -> None:
    """Write ``volume`` as NIfTI-1, whose sform holds the affine in float32.

    An affine that float32 cannot hold but a quaternion can, as one read from a
    file with a qform alone, is written as such; it then comes back exactly.
    """
    import nibabel as nib

    # NIfTI's first axis runs fastest, as the last one does here: no copy.
    array = volume.array.transpose(2, 1, 0)
    make: Any = nib.Nifti1Image
    image = make(array, volume.affine)
    header = image.header
    header["descrip"] = description.encode("ascii", "replace")[:79]
    header.set_xyzt_units("mm" if volume.has_geometry else 0)
    # Sheared axes have no quaternion; the nearest turn stands in for programs
    # that read no sform.
    header.set_qform(volume.affine, code=1, strip_shears=True)
    header.set_sform(volume.affine, code=1)
    if not np.array_equal(header.get_sform(), volume.affine) and np.array_equal(
        header.get_qform(), volume.affine
    ):
        header.set_sform(None, code=0)
    image.update_header()
    nib.save(image, path)


def _unit(header: Any) -> str:
    try:
        return str(header.get_xyzt_units()[0])
    except KeyError:  # a code that the standard does not know
        return "unknown"


def _check_length(path: Path, image: Any) -> None:
    """Refuse a file that is shorter than its header says, before memory is asked."""
    offset = image.dataobj.offset
    size = int(np.prod(image.shape, dtype=object)) * image.get_data_dtype().itemsize
    if path.suffix.lower() == ".gz":
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
            "Export it again."
        )
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3:
        raise InputError(
            "A scan must have three dimensions (columns, rows, frames); got "
            f"{len(shape)} with shape {shape} in {path}. Save one scan of it alone."
        )
    return array
