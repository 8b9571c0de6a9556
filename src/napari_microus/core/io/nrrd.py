"""What ITK does not say of NRRD and MetaImage files: units, kinds of axes, checksums.

ITK takes every length for millimetres, the first axis of another kind for colour
channels, and goes on where a packed stream ends too early or its checksum differs.
"""

from __future__ import annotations

import bz2
import math
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.io.read_errors import damaged

if TYPE_CHECKING:
    from pathlib import Path

_MILLIMETRES = {
    **{"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3},
    **{"micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "nm": 1e-6},
    **{"millimeter": 1.0, "millimetre": 1.0, "meter": 1000.0, "centimeter": 10.0},
    **{"in": 25.4, "inch": 25.4},
}
_MOST_HEADER = 1 << 20
_CHUNK = 1 << 20
_BYTES = {
    **dict.fromkeys(("signed char", "int8", "int8_t", "uchar", "unsigned char"), 1),
    **dict.fromkeys(("uint8", "uint8_t", "met_char", "met_uchar"), 1),
    **dict.fromkeys(("short", "short int", "signed short", "int16", "int16_t"), 2),
    **dict.fromkeys(("ushort", "unsigned short", "uint16", "uint16_t"), 2),
    **dict.fromkeys(("met_short", "met_ushort"), 2),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t", "uint"), 4),
    **dict.fromkeys(("unsigned int", "uint32", "uint32_t", "float"), 4),
    **dict.fromkeys(("met_int", "met_uint", "met_float", "met_long", "met_ulong"), 4),
    **dict.fromkeys(("longlong", "long long", "int64", "int64_t", "ulonglong"), 8),
    **dict.fromkeys(("unsigned long long", "uint64", "uint64_t", "double"), 8),
    **dict.fromkeys(("met_double", "met_long_long", "met_ulong_long"), 8),
}


@dataclass(frozen=True)
class Header:
    """What a header tells beyond ITK's reading of it.

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


def check_nrrd(path: Path, *, inflate: bool = True) -> Header:
    """Read the header of an NRRD file, and ``inflate`` its data to the end.

    Raises
    ------
    InputError
        If a packed stream is damaged or shorter than the header says.
    """
    fields, start = _nrrd_fields(path)
    kinds = fields.get("kinds", "").lower().split()
    spacings = fields.get("spacings", "").lower().split()
    told = fields.get("space units", fields.get("units", ""))
    units = re.findall(r'"([^"]*)"', told)
    encoding = fields.get("encoding", "raw").lower()
    if inflate and encoding in ("gzip", "gz", "bzip2", "bz2"):
        name = fields.get("data file", fields.get("datafile", ""))
        if not name:
            _inflate(path, start, encoding, _nrrd_bytes(fields), "NRRD")
        elif (path.parent / name).is_file():
            _inflate(path.parent / name, 0, encoding, _nrrd_bytes(fields), "NRRD")
    factors, unit = _factors(units)
    return Header(
        factors,
        unit,
        listed=any(kind in ("list", "time") for kind in kinds),
        is_frame_distance_known=len(spacings) < 3
        or not math.isnan(_number(spacings[-1])),
    )


def check_meta_image(path: Path, *, inflate: bool = True) -> Header:
    """Read the header of a MetaImage file, and ``inflate`` its data to the end.

    Raises
    ------
    InputError
        As `check_nrrd`.
    """
    fields, start = _meta_fields(path)
    name = fields.get("elementdatafile", "")
    if inflate and fields.get("compresseddata", "").lower() in ("true", "1"):
        size = _meta_bytes(fields)
        if name.upper() == "LOCAL":
            _inflate(path, start, "zlib", size, "MetaImage")
        elif (path.parent / name).is_file():
            _inflate(path.parent / name, 0, "zlib", size, "MetaImage")
    unit = fields.get("distanceunits", "").strip().lower()
    factors, unknown = _factors([unit] * 3 if unit not in ("", "?") else [])
    return Header(factors, unknown)


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


def _nrrd_fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of a header in lower case, and where its data begin."""
    with path.open("rb") as file:
        start = file.read(_MOST_HEADER)
    end = re.search(rb"\r?\n\r?\n", start)
    text = start[: end.start() if end else len(start)].decode("latin-1")
    fields = {}
    for line in text.splitlines():
        found = re.match(r"([^#:][^:]*): (.*)", line)
        if found:
            fields[found[1].strip().lower()] = found[2].strip()
    return fields, end.end() if end else len(start)


def _meta_fields(path: Path) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while line := file.readline(_MOST_HEADER):
            key, _, value = line.decode("latin-1").partition("=")
            fields[key.strip().lower()] = value.strip()
            if key.strip().lower() == "elementdatafile":
                break
        return fields, file.tell()


def _nrrd_bytes(fields: dict[str, str]) -> int | None:
    return _product(fields.get("sizes", ""), fields.get("type", ""))


def _meta_bytes(fields: dict[str, str]) -> int | None:
    channels = fields.get("elementnumberofchannels", "1")
    sizes = f"{fields.get('dimsize', '')} {channels}"
    return _product(sizes, fields.get("elementtype", ""))


def _product(sizes: str, kind: str) -> int | None:
    """Return the number of bytes, None where the header is beyond us."""
    counts = sizes.split()
    if kind.lower() not in _BYTES or not all(one.isdecimal() for one in counts):
        return None
    return math.prod(int(one) for one in counts) * _BYTES[kind.lower()]


def _inflate(
    path: Path, start: int, encoding: str, size: int | None, kind: str
) -> None:
    """Read a packed stream to its end: checksum and length must be as told."""
    unpack: Any = bz2.BZ2Decompressor()
    if encoding not in ("bzip2", "bz2"):
        unpack = zlib.decompressobj(47)  # gzip's or zlib's own header
    length = 0
    try:
        with path.open("rb") as file:
            file.seek(start)
            while not unpack.eof and (packed := file.read(_CHUNK)):
                length += len(unpack.decompress(packed))
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise damaged(path, kind, str(error)) from error
    if not unpack.eof:
        raise damaged(path, kind, "its packed data end too early")
    if size is not None and length < size:
        raise damaged(path, kind, f"{length} bytes of {size}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
