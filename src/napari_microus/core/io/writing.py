"""Write masks, scans and probabilities, and say beside them how they came about."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import atomic_write
from napari_microus.core.io.dicom import DICOM_SUFFIXES
from napari_microus.core.io.dicom_segmentation import segmentation_provenance
from napari_microus.core.io.itk import write_itk
from napari_microus.core.io.masks import MASK_DESCRIPTION, distinct_values
from napari_microus.core.io.names import stem_of, suffix_of
from napari_microus.core.io.nifti import SUFFIXES as NIFTI_SUFFIXES
from napari_microus.core.io.nifti import write_nifti

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

# The first is the one to take where none was named.
WRITABLE = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")

_GENERATOR = {"generator": "napari-microus"}


def write_mask(
    mask: Volume,
    path: str | Path,
    overwrite: bool = False,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a mask as uint8 in its own geometry, whole or not at all.

    Parameters
    ----------
    mask : Volume
        Bool, or whole numbers from 0 to 255; 255 stays 255 (undecided).
    path : str or Path
        Ends in one of ``.nii``, ``.nii.gz``, ``.nrrd``, ``.seg.nrrd`` (3D Slicer's
        segmentation) or ``.mha``. NIfTI keeps the affine in float32, the others in
        float64.
    overwrite : bool
        Replace a file that is there. A sidecar of ours that stated the provenance of
        the replaced mask is replaced or removed with it.
    provenance : mapping, optional
        JSON-ready facts written to ``<stem>.json`` beside the mask.

    Raises
    ------
    InputError
        If the array holds anything but whole numbers from 0 to 255.
    OutputError
        If the format is unknown, the file exists, or it cannot be written.
    """
    array = mask.array
    values = distinct_values(array, limit=256)
    if values is None or any(v != v or not 0 <= v <= 255 or v % 1 for v in values):
        raise InputError(
            "A mask must hold whole numbers from 0 to 255; got others. "
            "Threshold or relabel it first.",
            plain=(
                "This is no mask: it holds other values than whole numbers from 0 "
                "to 255. Threshold or relabel it first."
            ),
        )
    _write(
        replace(mask, array=array.astype(np.uint8, copy=False)),
        Path(path),
        overwrite,
        MASK_DESCRIPTION,
        provenance,
        segments=[int(v) for v in values if v],
    )


def write_volume(
    volume: Volume,
    path: str | Path,
    overwrite: bool = False,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a scan or a probability map; see `write_mask` for formats and errors."""
    if suffix_of(path) == ".seg.nrrd":
        raise OutputError(
            f"A .seg.nrrd must hold a mask; got a scan for {path}. "
            "Choose .nrrd or .nii.gz.",
            plain=(
                f"{path} is the name of a mask, and this is a scan. Choose .nrrd or "
                ".nii.gz."
            ),
        )
    stored = replace(volume, array=_storable(volume.array))
    _write(stored, Path(path), overwrite, "napari-microus", provenance)


def sidecar_of(path: str | Path) -> Path:
    """Return where the provenance of the mask at ``path`` is kept."""
    return Path(path).parent / f"{stem_of(path)}.json"


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Return the provenance written beside the mask at ``path``, {} if none.

    A DICOM Segmentation of ours states it in its header.

    Raises
    ------
    InputError
        If the sidecar is damaged.
    """
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        is_dicom = suffix_of(path) in DICOM_SUFFIXES and Path(path).is_file()
        return segmentation_provenance(Path(path)) if is_dicom else {}
    try:
        stated = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"A sidecar must be JSON; got {sidecar}. Remove or correct it.",
            plain=(
                f"{sidecar}, the file on who drew the mask, is damaged. Remove or "
                "correct it."
            ),
        ) from error
    if not isinstance(stated, dict) or not stated.items() >= _GENERATOR.items():
        return {}
    return {key: value for key, value in stated.items() if key not in _GENERATOR}


def _write(
    volume: Volume,
    path: Path,
    overwrite: bool,
    description: str,
    provenance: Mapping[str, Any] | None,
    segments: list[int] | None = None,
) -> None:
    suffix = suffix_of(path)
    if suffix not in WRITABLE:
        raise OutputError(
            f"The output must end in one of {', '.join(WRITABLE)}; got {path}. "
            "Rename it.",
            plain=(
                f"What kind of file {path} is to be is not clear from its name. End "
                f"it in one of {', '.join(WRITABLE)}."
            ),
        )
    sidecar = sidecar_of(path)
    replaces, is_ours = exists(path), _is_ours(sidecar)
    if exists(sidecar) and not is_ours and provenance is not None:
        raise OutputError(
            f"The provenance must not replace a file of others; got {sidecar}. "
            "Choose another name for the mask.",
            plain=(
                f"{sidecar} is another program's file and is not overwritten. "
                "Choose another name for the mask."
            ),
        )
    with ExitStack() as files:
        # The mask comes last into place, so that it never lacks its provenance.
        beside = files.enter_context(atomic_write(path, overwrite=overwrite))
        if provenance is not None:
            text = _json({**_GENERATOR, **provenance})
            # One of ours without its mask is what a killed process left.
            replaced = overwrite or (is_ours and not replaces)
            stated = files.enter_context(atomic_write(sidecar, overwrite=replaced))
            stated.write_text(text, encoding="utf-8")
        if suffix in NIFTI_SUFFIXES:
            write_nifti(volume, beside, description)
        else:
            write_itk(
                volume, beside, description, segments if suffix == ".seg.nrrd" else None
            )
    if provenance is None and replaces and is_ours:
        sidecar.unlink()  # it stated how the replaced mask came about


def _is_ours(sidecar: Path) -> bool:
    try:
        stated = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(stated, dict) and stated.items() >= _GENERATOR.items()


def _json(stated: dict[str, Any]) -> str:
    def plain(value: Any) -> Any:
        return (
            value.tolist()
            if isinstance(value, (np.ndarray, np.generic))
            else str(value)
        )

    return json.dumps(stated, indent=2, default=plain, ensure_ascii=False) + "\n"


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in a type that all formats and programs support."""
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64):
        low, high = int(array.min()), int(array.max())
        for kind in (np.int32, np.uint32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return array.astype(kind)
        return array.astype(np.float64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array
