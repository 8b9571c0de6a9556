"""The checksum of OpenIGTLink's messages, at the speed of a stream.

A checksum of bytes one after the other would take a second a frame in Python. Here the
message is cut into lanes that are summed side by side, and the lanes' sums are joined
two by two: the sum of two texts is the first one's, carried over the second's length,
plus the second one's.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POLYNOMIAL = 0x42F0E1EBA9EA3693  # ECMA-182, as the protocol says
_TOP = 1 << 63
_ALL = (1 << 64) - 1
_LANES = 2048


def crc64(message: bytes | bytearray | memoryview) -> int:
    """Return the CRC-64 (ECMA-182, starting at 0, not reflected) of a message."""
    found = np.frombuffer(message, dtype=np.uint8)
    if found.size == 0:
        return 0
    lanes = _LANES
    while lanes > 1 and found.size < 16 * lanes:
        lanes //= 2
    length = -(-found.size // (2 * lanes)) * 2
    # Zeros in front change nothing: the sum starts at 0.
    padded = np.zeros(lanes * length, dtype=np.uint8)
    padded[padded.size - found.size :] = found
    # Two bytes a step, a row of all lanes at a time.
    pairs = np.ascontiguousarray(padded.view(">u2").reshape(lanes, -1).T)
    table = _table()
    sums = np.zeros(lanes, dtype=np.uint64)
    for row in pairs:
        sums = (sums << np.uint64(16)) ^ table[(sums >> np.uint64(48)) ^ row]
    while len(sums) > 1:
        sums = _carry(sums[::2], length) ^ sums[1::2]
        length *= 2
    return int(sums[0])


def _step(value: int) -> int:
    """Carry a sum over one bit."""
    carried = (value << 1) & _ALL
    return carried ^ _POLYNOMIAL if value & _TOP else carried


@cache
def _table() -> NDArray[np.uint64]:
    """Return what each pair of bytes adds: linear, so made from its 16 bits."""
    table = np.zeros(1 << 16, dtype=np.uint64)
    for bit in range(16):
        value = 1 << (48 + bit)
        for _ in range(16):
            value = _step(value)
        table[1 << bit : 2 << bit] = table[: 1 << bit] ^ np.uint64(value)
    return table


def _carry(sums: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Carry sums over ``length`` bytes."""
    carried = np.zeros_like(sums)
    for bit, column in enumerate(_columns(length)):
        chosen = (sums >> np.uint64(bit)) & np.uint64(1)
        carried ^= chosen * np.uint64(column)
    return carried


@cache
def _columns(length: int) -> tuple[int, ...]:
    """Return what each bit of a sum becomes after ``length`` bytes of zeros."""
    if length == 1:
        columns = []
        for bit in range(64):
            value = 1 << bit
            for _ in range(8):
                value = _step(value)
            columns.append(value)
        return tuple(columns)
    half = _columns(length // 2)
    doubled = tuple(_apply(half, value) for value in half)
    if length % 2 == 0:
        return doubled
    one = _columns(1)
    return tuple(_apply(one, value) for value in doubled)


def _apply(columns: tuple[int, ...], value: int) -> int:
    result = 0
    while value:
        low = value & -value
        result ^= columns[low.bit_length() - 1]
        value ^= low
    return result
