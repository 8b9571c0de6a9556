"""The header of a DICOM file: what it is, and the numbers in it, and no more.

pydicom quotes the values of elements in what it warns of and raises, and these may
name a patient. It is silenced here, and none of its words enter ours.
"""

from __future__ import annotations

import importlib
import logging
import math
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import BROKEN_FILE, InputError
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
DIRECTORY = "1.2.840.10008.1.3.10"
# Segmentation Storage, and its newer form that holds a map of labels.
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# What holds no scan, by the beginning of its class; the first that fits.
_KINDS = {
    DIRECTORY: "a DICOMDIR",
    f"{_STORAGE}88.59": "a selection of key objects",
    f"{_STORAGE}88": "a structured report",
    f"{_STORAGE}481.2": "a radiotherapy dose",
    f"{_STORAGE}481.3": "a set of radiotherapy structures",
    f"{_STORAGE}481.5": "a radiotherapy plan",
    f"{_STORAGE}481.8": "a radiotherapy plan",
    f"{_STORAGE}481": "a radiotherapy record",
    **{f"{_STORAGE}9.1.{n}": "an ECG" for n in (1, 2, 3)},
    f"{_STORAGE}9": "a waveform",
    f"{_STORAGE}104.1": "a PDF document",
    f"{_STORAGE}104": "a document",
    f"{_STORAGE}11": "a presentation state",
    f"{_STORAGE}66.1": "a registration",
    f"{_STORAGE}66.3": "a registration",
    f"{_STORAGE}66.5": "a surface",
    "1.2.840.10008.5.1.4.39": "a colour palette",
    "1.2.840.10008.5.1.4.38": "a hanging protocol",
}
_RAW_DATA = f"{_STORAGE}66"

# An element of more bytes stays in the file; a header has none that we need.
_DEFERRED = 1 << 20


def pydicom() -> Any:
    """Return the module pydicom.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return importlib.import_module("pydicom")
    except ImportError as error:
        raise InputError(
            "pydicom must be installed for DICOM; got none. Install it (pip install "
            "pydicom), or use NIfTI.",
            plain=(
                "DICOM cannot be read: pydicom is not installed. Install it (pip "
                "install pydicom), or use NIfTI."
            ),
        ) from error


def faults() -> tuple[type[Exception], ...]:
    """Return what pydicom raises on files whose bytes were changed."""
    errors = pydicom().errors
    return (*BROKEN_FILE, errors.InvalidDicomError, errors.BytesLengthException)


@contextmanager
def silent() -> Iterator[None]:
    """Silence pydicom, highdicom and their checks, which quote values of a header."""
    config = pydicom().config
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [(logger.handlers[:], logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [logging.NullHandler()], False
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.propagate = handlers, propagate


def read_header(path: Path) -> Any:
    """Return the dataset of a file, without its pixels.

    Raises
    ------
    InputError
        If the file is damaged or no DICOM.
    """
    module = pydicom()
    with silent():
        try:
            header = module.dcmread(
                path, stop_before_pixels=True, force=True, defer_size=_DEFERRED
            )
            syntax = header.file_meta.get("TransferSyntaxUID")
            if not header or not (syntax or "SOPClassUID" in header):
                raise damaged(Path(path.name), "DICOM")
        except InputError:
            raise
        except faults():
            raise damaged(Path(path.name), "DICOM") from None
    return header


def value_of(dataset: Any, keyword: str) -> Any:
    """Return an element's value, None where it is absent, empty or unreadable."""
    with silent():
        try:
            value = dataset.get(keyword)
            empty = value is None or (hasattr(value, "__len__") and not len(value))
        except faults():
            return None
    return None if empty else value


def number(dataset: Any, keyword: str) -> float | None:
    """Return an element as a finite number, None where it is none."""
    value = value_of(dataset, keyword)
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def numbers(dataset: Any, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return an element as ``count`` finite numbers, None where it is not that."""
    value = value_of(dataset, keyword)
    if (
        value is None
        or isinstance(value, (str, bytes))
        or not hasattr(value, "__len__")
    ):
        return None
    try:
        found = tuple(float(one) for one in value)
    except (TypeError, ValueError):
        return None
    is_good = len(found) == count and all(map(math.isfinite, found))
    return found if is_good else None


def items(dataset: Any, keyword: str) -> list[Any]:
    """Return the items of a sequence, [] where it is absent or something else."""
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, (str, bytes)):
        return []
    try:
        return [one for one in value if hasattr(one, "get")]
    except faults():
        return []


def frame_count(header: Any) -> int:
    """Return the number of frames that a file states, 1 where it states none."""
    count = number(header, "NumberOfFrames")
    return 1 if count is None or count < 1 else int(count)


def frame_shape(header: Any) -> tuple[int, int]:
    """Return rows and columns of a frame; (0, 0) where there is no picture."""
    rows, columns = number(header, "Rows"), number(header, "Columns")
    return (0, 0) if not rows or not columns else (int(rows), int(columns))


def is_segmentation(header: Any) -> bool:
    """Return whether a file is a DICOM Segmentation."""
    return str(value_of(header, "SOPClassUID")) in SEGMENTATIONS


def kind_without_image(header: Any) -> str | None:
    """Return in words what a file holds instead of a picture, None for a picture."""
    class_uid = str(value_of(header, "SOPClassUID") or "")
    media = getattr(header, "file_meta", {})
    class_uid = class_uid or str(value_of(media, "MediaStorageSOPClassUID") or "")
    for start, words in _KINDS.items():
        if class_uid == start or class_uid.startswith(f"{start}."):
            return words
    if class_uid == _RAW_DATA:
        return "raw data"
    if class_uid and frame_shape(header) == (0, 0):
        return "an object without a picture"
    return None


def check_is_image(header: Any, path: Path) -> None:
    """Refuse what holds no picture by the name of what it is.

    Raises
    ------
    InputError
        If it is a report, a plan, an ECG …, or has no rows and columns.
    """
    words = kind_without_image(header)
    if words is not None:
        raise InputError(
            f"A scan must be an image; got {words}, no image, in {path.name}. Choose "
            "the file of the scan.",
            plain=f"{path.name} holds no picture but {words}. Choose the file of the "
            "scan.",
        )
    if frame_shape(header) == (0, 0):
        raise damaged(Path(path.name), "DICOM")
