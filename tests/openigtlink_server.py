"""A local server that sends frames as a scanner would, or as no scanner should."""

import socket
import struct
import threading
import time

import numpy as np
from fastcrc import crc64


def header(kind, size, crc=0, version=1):
    return struct.pack(
        ">H12s20sQQQ", version, kind.encode(), b"probe", 1 << 32, size, crc
    )


def image_body(frame, **changes):
    """The body of an IMAGE of uint8, with fields changed at will."""
    stated = {
        "components": 1,
        "scalar": 3,
        "endian": 2,
        "size": (frame.shape[1], frame.shape[0], 1),
        "part": None,
        "matrix": (0.1, 0, 0, 0, 0.2, 0, 0, 0, 1, 0, 0, 0),
    } | changes
    part = stated["part"] or (0, 0, 0, *stated["size"])
    head = struct.pack(
        ">HBBBB3H12f3H3H",
        1,
        stated["components"],
        stated["scalar"],
        stated["endian"],
        2,
        *stated["size"],
        *stated["matrix"],
        *part,
    )
    return head + frame.tobytes()


def image(frame, *, crc=None, version=1, **changes):
    body = image_body(frame, **changes)
    if version == 2:
        metadata = b"\0\1" + struct.pack(">HHI", 3, 3, 2) + b"keyvv"
        extension = struct.pack(">HHII", 12, 10, 5, 7)
        body = extension + body + metadata
    found = crc64.ecma_182(body) if crc is None else crc
    return header("IMAGE", len(body), found, version) + body


class Server:
    """Gives each connection to ``talk``, one after the other."""

    def __init__(self, talk):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self._talk, self._stop = talk, threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            try:
                peer, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with peer:
                try:
                    self._talk(peer, self._stop)
                except OSError:
                    pass

    def close(self):
        self._stop.set()
        self._thread.join()
        self._socket.close()


def send_at(messages, rate, jitter=0.0, seed=0):
    """Talk that sends messages at a rate, each late by up to ``jitter`` periods."""

    def talk(peer, stop):
        rng = np.random.default_rng(seed)
        began = time.monotonic()
        for number, message in enumerate(messages):
            due = began + (number + jitter * rng.random()) / rate
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            peer.sendall(message)

    return talk
