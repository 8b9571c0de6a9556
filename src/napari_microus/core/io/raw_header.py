"""The fields of an NRRD or MetaImage header as they are written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: A name of data that lists files, or counts them, instead of naming one.
SEVERAL = re.compile(r"LIST\b|[^%]*%0?\d*d", re.IGNORECASE)
_MOST_HEADER = 1 << 20
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
class RawHeader:
    """A header before anything is made of it.

    Attributes
    ----------
    path : Path
    kind : str
        "NRRD" or "MetaImage".
    fields : dict of str
        By their names in lower case.
    text : bytes
        The header itself; the data of a file with both begin behind it.
    """

    path: Path
    kind: str
    fields: dict[str, str]
    text: bytes

    @property
    def is_nrrd(self) -> bool:
        """Whether it is of an NRRD file."""
        return self.kind == "NRRD"

    @property
    def data_name(self) -> str:
        """The file of the voxels, or files; "" where they stand in this one."""
        if self.is_nrrd:
            name = self.fields.get("data file", self.fields.get("datafile", ""))
        else:
            name = self.fields.get("elementdatafile", "")
        return "" if name.upper() == "LOCAL" else name

    def image_bytes(self) -> int | None:
        """Return the number of bytes of the image, None where it cannot be said."""
        fields = self.fields
        if not self.is_nrrd:
            channels = fields.get("elementnumberofchannels", "1")
            sizes = f"{fields.get('dimsize', '')} {channels}"
            return _product(sizes, fields.get("elementtype", ""))
        skips = ("byte skip", "byteskip", "line skip", "lineskip")
        if not fields.keys().isdisjoint(skips):
            return None  # more is packed than the image
        return _product(fields.get("sizes", ""), fields.get("type", ""))


def read_raw_header(path: Path) -> RawHeader:
    """Return the header of a file; its suffix says of which kind it is."""
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        return _read_nrrd(path)
    return _read_meta_image(path)


def _read_nrrd(path: Path) -> RawHeader:
    with path.open("rb") as file:
        start = file.read(_MOST_HEADER)
    end = re.search(rb"\r?\n\r?\n", start)
    fields = {}
    for line in start[: end.start() if end else None].decode("latin-1").splitlines():
        found = re.match(r"([^#:][^:]*): (.*)", line)
        if found:
            fields[found[1].strip().lower()] = found[2].strip()
    return RawHeader(path, "NRRD", fields, start[: end.end() if end else None])


def _read_meta_image(path: Path) -> RawHeader:
    fields: dict[str, str] = {}
    text = b""
    with path.open("rb") as file:
        while line := file.readline(_MOST_HEADER):
            text += line
            key, _, value = line.decode("latin-1").partition("=")
            fields[key.strip().lower()] = value.strip()
            if key.strip().lower() == "elementdatafile":
                break
    return RawHeader(path, "MetaImage", fields, text)


def _product(sizes: str, kind: str) -> int | None:
    """Return the number of bytes, None where the header is beyond us."""
    counts = sizes.split()
    if kind.lower() not in _BYTES or not all(one.isdecimal() for one in counts):
        return None
    return math.prod(int(one) for one in counts) * _BYTES[kind.lower()]


def number_of(text: str) -> float:
    """Return a number, 1 for what is none."""
    try:
        return float(text)
    except ValueError:
        return 1.0
