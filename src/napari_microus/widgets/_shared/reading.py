"""napari's reader: scans become Image layers, plain annotations Labels layers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.plugins.utils import get_preferred_reader
from napari.utils.notifications import show_error, show_warning

from napari_microus.core import colors
from napari_microus.core.errors import InputError, plain_words
from napari_microus.core.io import (
    as_mask,
    dicom_series,
    distinct_values,
    is_readable,
    read_labels,
    read_provenance,
    read_volume,
    stem_of,
    suffix_of,
)
from napari_microus.core.io.frames import FRAME_SUFFIXES
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.widgets._shared.belonging import remember_scans
from napari_microus.widgets._shared.layers import layer_arguments, tint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.types import LayerData
    from numpy.typing import NDArray

    from napari_microus.core.io import DicomSeries
    from napari_microus.core.volume import Volume

PLUGIN = "napari-microus"

_COLORS = (
    (re.compile(r"non[-_ ]?expert"), colors.NONEXPERT),
    (re.compile(r"expert"), colors.EXPERT),
    (re.compile(r""), colors.CAPSULE),
)

# Names by which people distinguish an annotation, or a folder of them, from its scan.
_ANNOTATION = re.compile(r"annotation|mask|seg|label|capsule|contour|expert|manual")
_ANNOTATIONS = re.compile(r"(annotations|masks|segmentations|labels)(_|$)")


def get_reader(
    path: str | Sequence[str],
) -> Callable[[str | Sequence[str]], list[LayerData]] | None:
    """Return the function that reads ``path``, or None if it is not ours.

    Several paths are pictures that become the frames of one scan.
    """
    if isinstance(path, str):
        # A folder is taken to be one, so that an empty one gives a sentence.
        is_store = Path(path).suffix in (".zarr", ".n5")
        ours = is_readable(path) or (Path(path).is_dir() and not is_store)
    else:
        ours = bool(path) and all(is_readable(one) for one in path)
    return read_layers if ours else None


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Read one scan or annotation as napari's layer data.

    Raises
    ------
    InputError
        If the path holds anything but one scan; see `read_volume`.
    """
    _remember_scans()
    try:
        several = _several_series(path) if isinstance(path, str) else []
        if several:
            return _read_series(Path(str(path)), several)
        volume = read_volume(path)
    except InputError as error:
        # napari shows an error of a reader that was chosen this time, but not one
        # of a reader that was chosen for good.
        if get_preferred_reader(path if isinstance(path, str) else path[0]) == PLUGIN:
            show_error(plain_words(error))
        # What napari shows of a reader's error is its message.
        raise InputError(error.plain) from error
    first = Path(path if isinstance(path, str) else path[0])
    place = first if isinstance(path, str) else first.parent
    return _layers(volume, first, _name(place, first))


def _name(place: Path, first: Path) -> str:
    """Return what a scan is called: by its file, unless that reveals who it is."""
    from napari_microus.core.io.case_name import case_name

    name = case_name(place, first)
    if name != stem_of(place):
        show_warning(
            "The name of the file or folder reveals who the patient is; the layer is "
            f"called {name} instead. Rename it before you share it."
        )
    return name


def _several_series(path: str) -> list[DicomSeries]:
    """Return the series of a folder or DICOMDIR to choose from, none if it has one."""
    from napari_microus.core.io.dicom_series import is_directory
    from napari_microus.core.io.frames import frames_in

    place = Path(path)
    if is_directory(place):
        found = dicom_series(place)
    elif place.is_dir() and not frames_in(place):
        found = dicom_series(place)
    else:
        return []
    return found if len(found) > 1 and _has_window() else []


def _has_window() -> bool:
    """Return whether somebody can be asked."""
    from qtpy.QtWidgets import QApplication

    return QApplication.instance() is not None


def _read_series(place: Path, series: list[DicomSeries]) -> list[LayerData]:
    from napari_microus.widgets._shared.series_picker import ask_series

    folder = place if place.is_dir() else place.parent
    layers: list[LayerData] = []
    for one in ask_series(series):
        # A film's own file is where its results refer to.
        volume = read_volume(one.files[0] if len(one.files) == 1 else one.files)
        name = _name(folder, one.files[0])
        layers += _layers(volume, one.files[0], f"{name} series {one.number}")
    return layers or [(None,)]  # napari's way to say that there is nothing to add


def _layers(volume: Volume, first: Path, name: str) -> list[LayerData]:
    for notice in volume.metadata["notices"]:
        show_warning(f"{name}: {notice}")
    labels = _labels(first, volume)
    if labels is None:
        return [(volume.array, {"name": name, **layer_arguments(volume)}, "image")]
    arguments = layer_arguments(volume, **_provenance(first))
    if set(distinct_values(labels) or [2]) <= {0, 1, IGNORE_VALUE}:
        place = f"{first.parent.name}/{first.name}".lower()
        color = next(color for name, color in _COLORS if name.search(place))
        arguments |= tint(color)
    if names := volume.metadata.get("labels"):
        arguments["features"] = {"index": list(names), "name": list(names.values())}
    return [(labels, {"name": name, **arguments}, "labels")]


def _remember_scans() -> None:
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        remember_scans(viewer)


def _labels(path: Path, volume: Volume) -> NDArray[Any] | None:
    """Return the labels of a file that is plainly an annotation, else None."""
    name, folder = path.name.lower(), path.parent.name.lower()
    is_drawn = bool(volume.metadata.get("is_segmentation"))
    if not is_drawn and not (_ANNOTATION.search(name) or _ANNOTATIONS.search(folder)):
        return None
    may_be_shown = suffix_of(path) in FRAME_SUFFIXES or path.is_dir()
    if may_be_shown or volume.array.dtype.kind == "f":
        try:  # as stored: a palette or a header's scale makes intensities of labels
            volume = read_labels(path)
        except InputError:  # a picture in colour
            return None
    values = distinct_values(volume.array)
    if values is None or any(v != v or v < 0 or v % 1 for v in values):
        return None
    try:
        return as_mask(volume).array
    except InputError:  # several labels, which napari shows as they are
        top = int(values[-1])
        return volume.array.astype(np.uint8 if top < 256 else np.int32)


def _provenance(path: Path) -> dict[str, Any]:
    try:
        provenance = read_provenance(path)
    except InputError as error:
        show_warning(plain_words(error))
        return {}
    return {"provenance": provenance} if provenance else {}
