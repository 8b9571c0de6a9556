"""OpenIGTLink's IMAGE messages, read as from somebody who may mean harm.

Headers of version 1 and 2 (protocol versions 1 to 3). Whatever a peer states is checked
before memory is taken for it; nothing but a frame's pixels and its pixel size is used.

References
----------
.. [1] Tokuda et al., OpenIGTLink: an open network protocol for image-guided therapy
   environment, Int J Med Robot 2009, 10.1002/rcs.274.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from fastcrc import crc64

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER_SIZE = 58
#: Longest body in bytes, and longest edge of a frame in pixels, that are taken.
MOST_BYTES = 1 << 26
MOST_PIXELS = 8192

_HEADER = struct.Struct(">H12s20sQQQ")
_IMAGE = struct.Struct(">HBBBB3H12f3H3H")
_EXTENDED = struct.Struct(">HHII")
_SCALARS = {2: "i1", 3: "u1", 4: "i2", 5: "u2", 6: "i4", 7: "u4", 10: "f4", 11: "f8"}
_ENDIANS = {1: ">", 2: "<"}


@dataclass(frozen=True)
class Header:
    """What stands before a message's body."""

    version: int
    kind: str
    body_size: int
    crc: int


@dataclass(frozen=True)
class Placement:
    """Where a frame lies, as its sender states it.

    Attributes
    ----------
    system : int
        1 for RAS, 2 for LPS.
    matrix : tuple of 12 floats
        Columns for i, j and k with the pixel's size, then the middle of the frame.
    """

    system: int
    matrix: tuple[float, ...]


def read_header(raw: bytes | bytearray) -> Header:
    """Return what 58 bytes state about the message that follows.

    Raises
    ------
    InputError
        If they are no header of OpenIGTLink, or announce more than is taken.
    """
    version, kind, _name, _time, size, crc = _HEADER.unpack(raw)
    word = kind.rstrip(b"\0")
    if version not in (1, 2) or not word.isalnum():
        raise InputError(
            "A stream must begin each message with a header of OpenIGTLink, version 1 "
            f"or 2; got version {version}. Check the address and the port.",
            plain=(
                "What comes in there is no OpenIGTLink. Check the address and the port."
            ),
        )
    if size > MOST_BYTES:
        raise InputError(
            f"A message must have at most {MOST_BYTES >> 20} MiB; got one of "
            f"{size >> 20} MiB. Send single frames.",
            plain=(
                f"A picture of {size >> 20} MiB came in, which is too large. Send "
                "single frames."
            ),
        )
    return Header(version, word.decode("ascii"), size, crc)


def read_image(
    header: Header, body: bytes | bytearray | memoryview
) -> tuple[NDArray[np.generic], tuple[float, float] | None]:
    """Return the frame of an IMAGE message.

    Parameters
    ----------
    header : Header
        Of kind IMAGE.
    body : bytes-like
        As long as the header says.

    Returns
    -------
    frame : ndarray, shape (Y, X)
        Grey; the mean of three colours.
    spacing_mm : tuple of float or None
        Height and width of a pixel, None where the message states none.

    Raises
    ------
    InputError
        If the checksum differs, or the body is no single frame.
    """
    if crc64.ecma_182(body) != header.crc:
        raise InputError(
            "A message must have the checksum that its header states; got another one. "
            "Check the connection.",
            plain="A picture was damaged on its way. Check the connection.",
        )
    content = memoryview(body)
    if header.version == 2:
        content = _without_extension(content)
    if len(content) < _IMAGE.size:
        raise InputError(
            f"An IMAGE must have at least {_IMAGE.size} bytes; got {len(content)}. "
            "Check the sender.",
            plain="What came in is no complete picture. Check the sender.",
        )
    fields = _IMAGE.unpack(content[: _IMAGE.size])
    _version, components, scalar, endian, _system = fields[:5]
    width, height, depth = fields[5:8]
    part = (*fields[20:23], *fields[23:26])
    if components not in (1, 3) or scalar not in _SCALARS or endian not in _ENDIANS:
        raise InputError(
            "A frame must be grey or of three colours, in a known type of number; got "
            f"{components} components of type {scalar}, byte order {endian}. "
            "Check the sender.",
            plain=(
                "The pictures that come in are of a kind that is not known. Let "
                "the sender send grey or RGB."
            ),
        )
    edges = (width, height)
    if depth != 1 or not all(2 <= edge <= MOST_PIXELS for edge in edges):
        raise InputError(
            f"A frame must have 2 to {MOST_PIXELS} pixels a side and a depth of 1; got "
            f"{width} x {height} x {depth}. Send single frames.",
            plain=(
                f"The pictures that come in are {width} × {height} × {depth} large, "
                "and no single frames. Send single frames."
            ),
        )
    if part != (0, 0, 0, width, height, depth):
        raise InputError(
            f"A frame must come whole; got a part of {part[3:]} at {part[:3]} of "
            f"{width} x {height}. Let the sender send whole frames.",
            plain="Only a part of a picture came in. Let the sender send whole frames.",
        )
    dtype = np.dtype(_ENDIANS[endian] + _SCALARS[scalar])
    pixels = content[_IMAGE.size :]
    expected = width * height * components * dtype.itemsize
    if len(pixels) != expected:
        raise InputError(
            f"A frame of {width} x {height} must have {expected} bytes; got "
            f"{len(pixels)}. Check the sender.",
            plain="Only a part of a picture came in. Check the sender.",
        )
    frame = np.frombuffer(pixels, dtype).reshape(height, width, components)
    if dtype.kind == "f" and not np.isfinite(frame).all():
        raise InputError(
            "A frame must be finite; got NaN or infinity. Check the sender.",
            plain=(
                "A picture came in that holds no numbers in places. Check the sender."
            ),
        )
    return _grey(frame), _spacing(fields[8:20])


def read_placement(header: Header, body: bytes | bytearray | memoryview) -> Placement:
    """Return where the frame of a message lies that `read_image` has accepted."""
    content = memoryview(body)
    if header.version == 2:
        content = _without_extension(content)
    fields = _IMAGE.unpack(content[: _IMAGE.size])
    return Placement(fields[4], fields[8:20])


def write_image(frame: NDArray[np.uint8], placement: Placement, name: str) -> bytes:
    """Return an IMAGE message, version 1, of one grey frame (Y, X) of bytes."""
    height, width = frame.shape
    body = _IMAGE.pack(
        *(1, 1, 3, 2, placement.system),
        *(width, height, 1),
        *placement.matrix,
        *(0, 0, 0),
        *(width, height, 1),
    )
    body += frame.tobytes()
    now = int(time.time() * (1 << 32))
    return (
        _HEADER.pack(
            1, b"IMAGE", name.encode("ascii")[:20], now, len(body), crc64.ecma_182(body)
        )
        + body
    )


def _without_extension(body: memoryview) -> memoryview:
    """Return the content between the extended header and the metadata."""
    if len(body) >= _EXTENDED.size:
        size, index, metadata, _number = _EXTENDED.unpack(body[: _EXTENDED.size])
        end = len(body) - index - metadata
        if _EXTENDED.size <= size <= end:
            return body[size:end]
    raise InputError(
        "An extended header must fit its message; got one that does not. "
        "Check the sender.",
        plain="What came in is damaged. Check the sender.",
    )


def _grey(frame: NDArray[np.generic]) -> NDArray[np.generic]:
    native = frame.astype(frame.dtype.newbyteorder("="))
    if native.shape[2] == 1:
        return native[:, :, 0]
    grey: NDArray[np.generic] = native.mean(axis=2).astype(native.dtype)
    return grey


def _spacing(matrix: tuple[float, ...]) -> tuple[float, float] | None:
    """Return a pixel's height and width: the lengths of the columns for j and i."""
    with np.errstate(over="ignore", invalid="ignore"):
        columns = np.asarray(matrix, dtype=np.float64).reshape(4, 3)
        width, height = np.linalg.norm(columns[:2], axis=1).tolist()
    known = all(np.isfinite(n) and 1e-4 < n < 100 for n in (width, height))
    return (height, width) if known else None
