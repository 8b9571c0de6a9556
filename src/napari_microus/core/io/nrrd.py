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


# Fields of lengths, directions and places, in lower case.
_GEOMETRY = {
    *("space directions", "space origin", "spacings", "thicknesses", "axis mins"),
    *("axis maxs", "measurement frame"),
    *("transformmatrix", "rotation", "orientation", "offset", "position", "origin"),
    *("elementspacing", "elementsize", "centerofrotation"),
}
# Fields of MetaImage with a number for each dimension, or for each pair of them.
_PER_DIMENSION = {"offset", "position", "origin", "elementspacing", "elementsize"}
_PER_PAIR = {"transformmatrix", "rotation", "orientation"}
# A field that lists files, or counts them, instead of naming one.
_SEVERAL = re.compile(r"LIST\b|[^%]*%0?\d*d", re.IGNORECASE)
_META_KEY = re.compile(rb"[^\x00-\x20=\x7f][^\x00-\x1f\x7f]*")
_META_NAME = re.compile(rb"[^\x00-\x1f\x7f]+")
_LONGEST_NAME = 255
_LARGEST = 1e7
_MOST_DIMENSIONS, _MOST_CHANNELS = 5, 16
_MOST_PACKED = 50_000  # times: bzip2 packs zeros so; gzip a thousand


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


def check_numbers(path: Path, kind: str) -> None:
    """Refuse a header of an NRRD or MetaImage file with numbers beyond any scan.

    ITK is not asked first: a direction of 1e308 sends it into an endless loop, and a
    number of dimensions beyond its arrays ends the process.

    Raises
    ------
    InputError
        If a length or a place is larger than 10 million or infinite, if the dimensions
        are not 1 to 5, not as many as the sizes, or no whole numbers, or if there is
        more in the image than the file could hold packed.
    """
    is_nrrd = kind == "NRRD"
    fields, start = (_nrrd_fields if is_nrrd else _meta_fields)(path)
    for name in _GEOMETRY & fields.keys():
        for text in re.findall(r"[^\s,()\"]+", fields[name]):
            if abs(_number(text)) > _LARGEST:
                raise damaged(path, kind, f"{name}: {text}")
    dimensions = fields.get("dimension" if is_nrrd else "ndims", "")
    sizes = fields.get("sizes" if is_nrrd else "dimsize", "").split()
    channels = fields.get("elementnumberofchannels", "1")
    if not dimensions.isdecimal() or not 1 <= int(dimensions) <= _MOST_DIMENSIONS:
        raise damaged(path, kind, f"{dimensions or 'no'} dimensions")
    if len(sizes) != int(dimensions) or not all(n.isdecimal() for n in sizes):
        raise damaged(path, kind, f"sizes {' '.join(sizes) or 'none'}")
    if not channels.isdecimal() or not 1 <= int(channels) <= _MOST_CHANNELS:
        raise damaged(path, kind, f"{channels} channels")
    if not is_nrrd:
        for name in _PER_DIMENSION & fields.keys():
            if len(fields[name].split()) != int(dimensions):
                raise damaged(path, kind, f"{name}: {fields[name]}")
        for name in _PER_PAIR & fields.keys():
            if len(fields[name].split()) != int(dimensions) ** 2:
                raise damaged(path, kind, f"{name}: {fields[name]}")
    told = (_nrrd_bytes if is_nrrd else _meta_bytes)(fields)
    name = fields.get("data file", fields.get("datafile", ""))
    if not is_nrrd:
        name = _checked_lines(path, start)
    if name.upper() in ("", "LOCAL"):
        there = path.stat().st_size - start
        if told is not None and told > _MOST_PACKED * max(there, 1):
            raise damaged(path, kind, f"{there} bytes for an image of {told}")
    elif not _SEVERAL.match(name):
        if not (path.parent / name).is_file():
            raise damaged(path, kind, f"its data file {name} is not there")


def _checked_lines(path: Path, start: int) -> str:
    """Return the name of a MetaImage's data; refuse lines that ITK would misread.

    A line without a value swallows the next one, and a name of many bytes is written
    beyond its place.
    """
    with path.open("rb") as file:
        lines = file.read(start).rstrip(b"\r\n").splitlines()
    name = b""
    for line in lines:
        key, equals, value = line.partition(b"=")
        if not equals or not _META_KEY.fullmatch(key.strip()):
            raise damaged(path, "MetaImage", f"line {line[:40]!r}")
        name = value.strip()
    if len(name) > _LONGEST_NAME or not _META_NAME.fullmatch(name):
        raise damaged(path, "MetaImage", f"ElementDataFile {name[:40]!r}")
    return name.decode("utf-8", errors="replace")


def data_files(path: Path) -> list[Path]:
    """Return the files beside an NRRD or MetaImage header that hold its voxels.

    A header that lists or counts its files may mean any file beside it that is no
    header itself.
    """
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        fields, _ = _nrrd_fields(path)
        name = fields.get("data file", fields.get("datafile", ""))
    else:
        name = _meta_fields(path)[0].get("elementdatafile", "")
    if name.upper() in ("", "LOCAL"):
        return []
    if not _SEVERAL.match(name):
        return [path.parent / name]
    headers = (".nrrd", ".nhdr", ".mha", ".mhd")
    return sorted(
        one
        for one in path.parent.iterdir()
        if one.is_file() and one.suffix.lower() not in headers
    )


def check_nrrd(path: Path, *, inflate: bool = True) -> Header:
    """Read the header of an NRRD file, and ``inflate`` its data to the end.

    Raises
    ------
    InputError
        If a packed stream is damaged or shorter than the header says.
    """
    fields, start = _nrrd_fields(path)
    file = fields.get("data file", fields.get("datafile", ""))
    if not file and start >= path.stat().st_size:
        raise damaged(path, "NRRD", "no data follow its header")
    kinds = fields.get("kinds", "").lower().split()
    spacings = fields.get("spacings", "").lower().split()
    told = fields.get("space units", fields.get("units", ""))
    units = re.findall(r'"([^"]*)"', told)
    encoding = fields.get("encoding", "raw").lower()
    if inflate and encoding in ("gzip", "gz", "bzip2", "bz2"):
        if not file:
            _inflate(path, start, encoding, _nrrd_bytes(fields), "NRRD")
        elif (path.parent / file).is_file():
            _inflate(path.parent / file, 0, encoding, _nrrd_bytes(fields), "NRRD")
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
    if not name:
        raise damaged(path, "MetaImage", "its header ends too early")
    # As ITK reads it: by the first letter.
    if inflate and fields.get("compresseddata", "")[:1].lower() in ("t", "1"):
        size = _meta_bytes(fields)
        packed = None
        if name.upper() == "LOCAL":
            packed = _inflate(path, start, "zlib", size, "MetaImage")
        elif (path.parent / name).is_file():
            packed = _inflate(path.parent / name, 0, "zlib", size, "MetaImage")
        told = fields.get("compresseddatasize", "")
        # ITK unpacks as many bytes as it is told, and returns what was in its memory
        # where that fails.
        if packed is not None and told != str(packed):
            words = f"{packed} packed bytes, {told or 'none'} told"
            raise damaged(path, "MetaImage", words)
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
    if not fields.keys().isdisjoint(("byte skip", "byteskip", "line skip", "lineskip")):
        return None  # more is packed than the image
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


def _inflate(path: Path, start: int, encoding: str, size: int | None, kind: str) -> int:
    """Read a packed stream to its end, and return how long it was.

    Its checksum and the length of what it holds must be as told.
    """
    unpack: Any = bz2.BZ2Decompressor()
    if encoding not in ("bzip2", "bz2"):
        unpack = zlib.decompressobj(47)  # gzip's or zlib's own header
    length = read = 0
    try:
        with path.open("rb") as file:
            file.seek(start)
            while not unpack.eof and (packed := file.read(_CHUNK)):
                read += len(packed)
                length += len(unpack.decompress(packed))
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise damaged(path, kind, str(error)) from error
    if not unpack.eof:
        raise damaged(path, kind, "its packed data end too early")
    if size is not None and length != size:
        raise damaged(path, kind, f"{length} bytes of {size}")
    return read - len(unpack.unused_data)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
