import struct

import numpy as np
import pytest
from fastcrc import crc64
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_microus.core.errors import InputError
from napari_microus.core.live.messages import HEADER_SIZE, read_header, read_image
from openigtlink_server import header, image, image_body

FRAME = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4)


def read(message):
    head = read_header(message[:HEADER_SIZE])
    return read_image(head, message[HEADER_SIZE:])


@pytest.mark.parametrize("version", [1, 2])
def test_a_frame_comes_back_with_the_size_of_its_pixels(version):
    frame, spacing_mm = read(image(FRAME, version=version))

    np.testing.assert_array_equal(frame, FRAME)
    # The matrix's column for i is 0.1 mm long, for j 0.2.
    assert spacing_mm == pytest.approx((0.2, 0.1))


def test_sixteen_bits_of_either_byte_order():
    wide = FRAME.astype(np.uint16) * 300
    for endian, order in ((1, ">u2"), (2, "<u2")):
        frame, _ = read(image(wide.astype(order), scalar=5, endian=endian))
        np.testing.assert_array_equal(frame, wide)


def test_colours_become_their_mean():
    colour = np.stack([FRAME, FRAME + 3, FRAME + 6], axis=2)
    frame, _ = read(image(colour, components=3, size=(4, 6, 1)))
    np.testing.assert_array_equal(frame, FRAME + 3)


def test_no_pixel_size_is_made_up():
    _, spacing_mm = read(image(FRAME, matrix=(0,) * 12))
    assert spacing_mm is None
    _, spacing_mm = read(image(FRAME, matrix=(float("nan"),) * 12))
    assert spacing_mm is None


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (b"GET / HTTP/1.1\r\n" + b"x" * 42, "header of OpenIGTLink"),
        (header("IMAGE", 1 << 62), "at most 64 MiB; got one of"),
        (header("IM\nAGE", 0), "header of OpenIGTLink"),
        (image(FRAME, crc=1), "checksum"),
        (header("IMAGE", 0), "at least 72 bytes; got 0"),
        (image(FRAME, components=2), "2 components"),
        (image(FRAME, scalar=9), "type 9"),
        (image(FRAME, endian=7), "byte order 7"),
        (image(FRAME, size=(65535, 65535, 1)), "65535 x 65535 x 1"),
        (image(FRAME, size=(4, 6, 3)), "depth of 1; got 4 x 6 x 3"),
        (image(FRAME, size=(0, 6, 1)), "0 x 6"),
        (image(FRAME, size=(4, 5, 1)), "must have 20 bytes; got 24"),
        (image(FRAME, part=(0, 0, 0, 2, 6, 1)), "come whole"),
    ],
)
def test_what_is_no_frame_is_refused_with_a_sentence(message, sentence):
    with pytest.raises(InputError, match=sentence):
        read(message)


def plain_crc64(message, crc=0):
    """CRC-64 of ECMA-182, bit by bit as its definition goes."""
    for byte in message:
        crc ^= byte << 56
        for _ in range(8):
            top = crc >> 63
            crc = (crc << 1) & (2**64 - 1)
            if top:
                crc ^= 0x42F0E1EBA9EA3693
    return crc


def test_the_checksum_is_that_of_the_protocol():
    # The check value of CRC-64/ECMA-182 in the catalogue of CRC algorithms.
    assert plain_crc64(b"123456789") == 0x6C40DF5F0B497347
    body = image_body(FRAME)
    frame, _ = read(image(FRAME, crc=plain_crc64(body)))
    np.testing.assert_array_equal(frame, FRAME)
    changed = bytearray(image(FRAME))
    changed[-1] ^= 4
    with pytest.raises(InputError, match="checksum"):
        read(bytes(changed))


def test_nan_is_refused():
    frame = np.full((6, 4), np.nan, np.float32)
    with pytest.raises(InputError, match="finite"):
        read(image(frame, scalar=10))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), version=st.sampled_from([1, 2]))
def test_changed_bytes_end_in_a_frame_or_a_sentence(data, version):
    message = bytearray(image(FRAME, version=version))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(message) - 1))
        message[place] = data.draw(st.integers(0, 255))
    # With its sum made right again, the reader itself has to cope.
    message[50:58] = struct.pack(">Q", crc64.ecma_182(message[HEADER_SIZE:]))
    try:
        frame, _ = read(bytes(message))
    except InputError as refused:
        stated = str(refused)
    else:
        stated = f"a frame of {frame.ndim} dimensions"
    assert "\n" not in stated


def test_the_body_of_the_tests_is_as_published():
    # 72 bytes stand before the pixels of an IMAGE.
    assert len(image_body(FRAME)) == 72 + FRAME.size
