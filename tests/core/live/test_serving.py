"""Capsules are received by our own reader, as by any other program."""

import socket
import threading
import time

import numpy as np
import pytest

from napari_microus.core.errors import OutputError
from napari_microus.core.live import CapsuleServer, LiveFrame, StreamSource, follow
from napari_microus.core.live.messages import (
    HEADER_SIZE,
    Placement,
    read_header,
    read_image,
    read_placement,
)
from openigtlink_server import image

# Tilted about the first axis, 0.2 mm wide and 0.1 mm high.
TILTED = (0.2, 0, 0, 0, 0.06, 0.08, 0, -0.8, 0.6, 11, -7, 35.5)


def answered(mask, number=1, placement=None):
    frame = np.zeros(mask.shape, np.uint8)
    return LiveFrame(frame, mask, (0.1, 0.2), 0.01, number, number, 0, 0, placement)


@pytest.fixture
def server():
    server = CapsuleServer()
    yield server
    server.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("capsule")]


def receive(peer):
    def exactly(count):
        raw = b""
        while len(raw) < count:
            part = peer.recv(count - len(raw))
            assert part, "ended"
            raw += part
        return raw

    head = read_header(exactly(HEADER_SIZE))
    body = exactly(head.body_size)
    return read_image(head, body), read_placement(head, body)


def connected(server):
    peer = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    while not server._receivers:
        time.sleep(0.01)
    return peer


def test_a_capsule_arrives_where_the_frame_lies(server):
    mask = (np.arange(12).reshape(3, 4) % 5 == 0).astype(np.uint8)
    with connected(server) as peer:
        server.add(answered(mask, placement=Placement(2, TILTED)))
        (found, spacing_mm), place = receive(peer)
        np.testing.assert_array_equal(found, mask)
        assert spacing_mm == pytest.approx((0.1, 0.2))
        assert place.system == 2
        assert place.matrix == pytest.approx(TILTED)
        # Where no sender states a place: flat, of the pixel's size.
        server.add(answered(mask[:2], 2))
        (found, spacing_mm), place = receive(peer)
        assert found.shape == (2, 4)
        assert spacing_mm == pytest.approx((0.1, 0.2))
        assert place.system == 1


def test_one_that_takes_nothing_holds_nobody_up(server):
    mask = np.zeros((900, 900), np.uint8)
    with connected(server), connected(server) as other:
        while len(server._receivers) < 2:
            time.sleep(0.01)
        for number in range(1, 30):
            mask = np.full_like(mask, number % 2)
            mask[0, 0] = number
            server.add(answered(mask, number))
            (found, _), _ = receive(other)
            assert found[0, 0] == number


def test_the_place_of_a_streams_frame_goes_to_its_capsule(
    serve, bright, real_frames, server
):
    message = image(real_frames[0], matrix=TILTED)

    def talk(peer, stop):
        while not stop.wait(0.05):
            peer.sendall(message)

    work = follow(bright, StreamSource("127.0.0.1", serve(talk).port), device="cpu")
    with connected(server) as peer:
        for event in work:
            if isinstance(event, LiveFrame):
                server.add(event)
                break
        (found, _), place = receive(peer)
    work.close()
    np.testing.assert_array_equal(found, event.mask)
    assert place.matrix == pytest.approx(TILTED)


def test_a_port_that_is_taken_is_a_sentence(server):
    with pytest.raises(
        OutputError, match=f"must be free to send from; got {server.port}"
    ):
        CapsuleServer(server.port)
