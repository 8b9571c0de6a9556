import numpy as np
import pytest

from napari_microus.core.live.crc64 import crc64
from openigtlink_server import plain_crc64


def test_the_published_check_value():
    # CRC-64/ECMA-182 in the catalogue of parametrised CRC algorithms.
    assert crc64(b"123456789") == 0x6C40DF5F0B497347


@pytest.mark.parametrize("length", [0, 1, 2, 3, 15, 16, 17, 255, 4096, 70001])
def test_any_length_is_summed_as_bit_by_bit(length):
    message = np.random.default_rng(length).bytes(length)
    assert crc64(message) == plain_crc64(message)


def test_one_changed_bit_changes_the_sum():
    message = bytearray(np.random.default_rng(0).bytes(100_000))
    before = crc64(message)
    message[77_777] ^= 4
    assert crc64(message) != before
