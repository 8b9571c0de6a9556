"""What ITK does not say of NRRD and MetaImage files: units, kinds of axes, checksums.

ITK takes every length for millimetres, the first axis of another kind for colour
channels, and continues where a packed stream ends too early or its checksum differs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.io.packed_data import inflate
from napari_microus.core.io.raw_header import (
    SEVERAL,
    RawHeader,
    number_of,
    read_raw_header,
)
from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from pathlib import Path

_MILLIMETRES = {
    **{"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3},
    **{"micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "nm": 1e-6},
    **{"millimeter": 1.0, "millimetre": 1.0, "meter": 1000.0, "centimeter": 10.0},
    **{"in": 25.4, "inch": 25.4},
}


@dataclass(frozen=True)
class Header:
    """What a header states beyond ITK's reading of it.

    Attributes
    ----------
    factors : ndarray, shape (3,) or None
        mm per unit along each axis of space; None where a unit is unknown.
    unit : str
        The unit that is unknown.
    listed : bool
        Whether one axis is a list or time, whose entries are frames.
    is_frame_distance_known : bool
        False where the header says NaN.
    """

    factors: np.ndarray[Any, np.dtype[np.float64]] | None = field(
        default_factory=lambda: np.ones(3)
    )
    unit: str = ""
    listed: bool = False
    is_frame_distance_known: bool = True


def data_files(path: Path) -> list[Path]:
    """Return the files beside an NRRD or MetaImage header that hold its voxels.

    A header that lists or counts its files may mean any file beside it that is no
    header itself.
    """
    name = read_raw_header(path).data_name
    if not name:
        return []
    if not SEVERAL.match(name):
        return [path.parent / name]
    headers = (".nrrd", ".nhdr", ".mha", ".mhd")
    return sorted(
        one
        for one in path.parent.iterdir()
        if one.is_file() and one.suffix.lower() not in headers
    )


def check_data(raw: RawHeader) -> None:
    """Read packed data to their end.

    Raises
    ------
    InputError
        If there are none, or they are damaged or shorter than the header says.
    """
    if raw.is_nrrd:
        if not raw.data_name and len(raw.text) >= raw.path.stat().st_size:
            raise damaged(raw.path, raw.kind, "no data follow its header")
        encoding = raw.fields.get("encoding", "raw").lower()
        if encoding in ("gzip", "gz", "bzip2", "bz2"):
            _inflate(raw, encoding)
        return
    if not raw.fields.get("elementdatafile"):
        raise damaged(raw.path, raw.kind, "its header ends too early")
    # As ITK reads it: by the first letter.
    if raw.fields.get("compresseddata", "")[:1].lower() not in ("t", "1"):
        return
    packed, stated = _inflate(raw, "zlib"), raw.fields.get("compresseddatasize", "")
    # ITK unpacks as many bytes as the header states, and returns what was in its
    # memory where that fails.
    if packed is not None and stated != str(packed):
        words = f"{packed} packed bytes, {stated or 'none'} stated"
        raise damaged(raw.path, raw.kind, words)


def _inflate(raw: RawHeader, encoding: str) -> int | None:
    """Return how long the packed stream was, None where it is not in one file."""
    size = raw.image_bytes()
    if not raw.data_name:
        return inflate(raw.path, len(raw.text), encoding, size, raw.kind)
    beside = raw.path.parent / raw.data_name
    return inflate(beside, 0, encoding, size, raw.kind) if beside.is_file() else None


def read_header(raw: RawHeader) -> Header:
    """Return what a header states beyond ITK's reading of it."""
    fields = raw.fields
    if not raw.is_nrrd:
        unit = fields.get("distanceunits", "").strip().lower()
        return Header(*_factors([unit] * 3 if unit not in ("", "?") else []))
    kinds = fields.get("kinds", "").lower().split()
    spacings = fields.get("spacings", "").lower().split()
    stated = fields.get("space units", fields.get("units", ""))
    return Header(
        *_factors(re.findall(r'"([^"]*)"', stated)),
        listed=any(kind in ("list", "time") for kind in kinds),
        is_frame_distance_known=len(spacings) < 3
        or not math.isnan(number_of(spacings[-1])),
    )


def _factors(
    units: list[str],
) -> tuple[np.ndarray[Any, np.dtype[np.float64]] | None, str]:
    named = [unit.strip().lower() for unit in units if unit.strip()]
    for unit in named:
        if unit not in _MILLIMETRES:
            return None, unit
    if not named:
        return np.ones(3), ""
    lengths = [_MILLIMETRES[unit] for unit in named[-3:]]
    return np.array([*lengths, *[1.0] * (3 - len(lengths))]), ""
