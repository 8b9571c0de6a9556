"""Refuse NRRD and MetaImage headers that ITK must not be given.

A direction of 1e308 sends it into an endless loop, a number of dimensions beyond its
arrays ends the process, and lines without a value are read as others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_microus.core.io.raw_header import SEVERAL, RawHeader, number_of
from napari_microus.core.io.read_errors import damaged, part_missing

if TYPE_CHECKING:
    from napari_microus.core.errors import InputError

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
_META_KEY = re.compile(rb"[^\x00-\x20=\x7f][^\x00-\x1f\x7f]*")
_META_NAME = re.compile(rb"[^\x00-\x1f\x7f]+")
_LONGEST_NAME = 255
_LARGEST = 1e7
_MOST_DIMENSIONS, _MOST_CHANNELS = 5, 16
_MOST_PACKED = 50_000  # times: bzip2 packs zeros so; gzip a thousand


def check_header(header: RawHeader) -> None:
    """Refuse a header with numbers beyond any scan, or without its data.

    Raises
    ------
    InputError
        If a length or a place is larger than 10 million or infinite, if the dimensions
        are not 1 to 5, not as many as the sizes, or no whole numbers, or if there is
        more in the image than the file could hold packed.
    """
    _check_lengths(header)
    _check_dimensions(header)
    name = header.data_name
    if not header.is_nrrd:
        _check_counts(header)
        name = _check_lines(header)
    _check_data(header, name)


def _damaged(header: RawHeader, what: str) -> InputError:
    return damaged(header.path, header.kind, what)


def _check_lengths(header: RawHeader) -> None:
    for name in _GEOMETRY & header.fields.keys():
        for text in re.findall(r"[^\s,()\"]+", header.fields[name]):
            if abs(number_of(text)) > _LARGEST:
                raise _damaged(header, f"{name}: {text}")


def _check_dimensions(header: RawHeader) -> None:
    fields = header.fields
    dimensions = fields.get("dimension" if header.is_nrrd else "ndims", "")
    sizes = fields.get("sizes" if header.is_nrrd else "dimsize", "").split()
    channels = fields.get("elementnumberofchannels", "1")
    if not dimensions.isdecimal() or not 1 <= int(dimensions) <= _MOST_DIMENSIONS:
        raise _damaged(header, f"{dimensions or 'no'} dimensions")
    if len(sizes) != int(dimensions) or not all(n.isdecimal() for n in sizes):
        raise _damaged(header, f"sizes {' '.join(sizes) or 'none'}")
    if not channels.isdecimal() or not 1 <= int(channels) <= _MOST_CHANNELS:
        raise _damaged(header, f"{channels} channels")


def _check_counts(header: RawHeader) -> None:
    """Refuse fields of a MetaImage with more or fewer numbers than dimensions."""
    fields, dimensions = header.fields, int(header.fields["ndims"])
    for names, count in ((_PER_DIMENSION, dimensions), (_PER_PAIR, dimensions**2)):
        for name in names & fields.keys():
            if len(fields[name].split()) != count:
                raise _damaged(header, f"{name}: {fields[name]}")


def _check_lines(header: RawHeader) -> str:
    """Return the name of a MetaImage's data; refuse lines that ITK would misread.

    A line without a value swallows the next one, and a name of many bytes is written
    beyond its place.
    """
    name = b""
    for line in header.text.rstrip(b"\r\n").splitlines():
        key, equals, value = line.partition(b"=")
        if not equals or not _META_KEY.fullmatch(key.strip()):
            raise _damaged(header, f"line {line[:40]!r}")
        name = value.strip()
    if len(name) > _LONGEST_NAME or not _META_NAME.fullmatch(name):
        raise _damaged(header, f"ElementDataFile {name[:40]!r}")
    text = name.decode("utf-8", errors="replace")
    return "" if text.upper() == "LOCAL" else text


def _check_data(header: RawHeader, name: str) -> None:
    size = header.image_bytes()
    if not name:
        there = header.path.stat().st_size - len(header.text)
        if size is not None and size > _MOST_PACKED * max(there, 1):
            raise _damaged(header, f"{there} bytes for an image of {size}")
    elif not SEVERAL.match(name) and not (header.path.parent / name).is_file():
        raise part_missing(header.path, name)
