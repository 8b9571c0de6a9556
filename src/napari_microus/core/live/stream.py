"""Frames from a scanner or a research platform over OpenIGTLink."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.live.messages import (
    HEADER_SIZE,
    read_header,
    read_image,
    read_placement,
)
from napari_microus.core.live.newest import Arrived

if TYPE_CHECKING:
    import threading

    from napari_microus.core.live.newest import Newest

PORT = 18944  # the protocol's own
_LOOK_S = 0.1  # between two looks at whether to stop
_STALLED_S = 5.0  # in the middle of a message
_WAITS_S = (0.2, 0.5, 1.0, 2.0)  # before the next try


class _EndedError(Exception):
    """The peer closed the connection, or we are to stop."""


class StreamSource:
    """Connects to a server of OpenIGTLink, again and again until it is stopped.

    Parameters
    ----------
    host : str
        Name or address of the machine that sends.
    port : int
        18944 unless the sender says otherwise.
    """

    def __init__(self, host: str = "localhost", port: int = PORT) -> None:
        if not host.strip() or not 1 <= port <= 65535:
            raise ConfigError(
                "A stream must have a host and a port from 1 to 65535; got "
                f"'{host}' and {port}. Write them as localhost:18944.",
                plain="Write the address as host:port, such as localhost:18944.",
            )
        self.host, self.port = host.strip(), port

    @classmethod
    def parse(cls, address: str) -> StreamSource:
        """Return the source that ``host:port`` names; the port may be left out."""
        host, colon, port = address.strip().rpartition(":")
        if not colon:
            host, port = port, str(PORT)
        return cls(host, int(port) if port.isdecimal() else 0)

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return f"{self.host}:{self.port}"

    def run(self, newest: Newest, stop: threading.Event) -> None:
        """Receive until ``stop`` is set; every fault ends one connection alone."""
        tries = 0
        while not stop.is_set():
            before = newest.received
            try:
                self._connection(newest, stop)
            except InputError as error:
                newest.note(f"{error.plain} The connection was closed.")
            except _EndedError:
                newest.note(f"The connection to {self.name} ended.")
            except OSError:
                newest.note(
                    f"No server answers at {self.name}. Start it; this keeps trying."
                )
            newest.is_connected = False
            tries = 0 if newest.received > before else tries + 1
            stop.wait(_WAITS_S[min(tries, len(_WAITS_S) - 1)])

    def _connection(self, newest: Newest, stop: threading.Event) -> None:
        with socket.create_connection((self.host, self.port), timeout=2) as peer:
            peer.settimeout(_LOOK_S)
            newest.is_connected = True
            while True:
                raw = _receive(peer, HEADER_SIZE, stop, may_wait=True)
                header = read_header(raw)
                body = _receive(peer, header.body_size, stop)
                if header.kind == "IMAGE":
                    newest.put(
                        Arrived(
                            partial(read_image, header, body),
                            placement=partial(read_placement, header, body),
                        )
                    )


def _receive(
    peer: socket.socket, size: int, stop: threading.Event, *, may_wait: bool = False
) -> bytearray:
    """Return the next ``size`` bytes; before the first one a peer may take its time."""
    buffer = bytearray(size)
    view, filled = memoryview(buffer), 0
    last = time.monotonic()
    while filled < size:
        if stop.is_set():
            raise _EndedError
        try:
            count = peer.recv_into(view[filled:])
        except TimeoutError:
            if may_wait and filled == 0:
                continue
            if time.monotonic() - last > _STALLED_S:
                raise InputError(
                    f"A message must come whole; got {filled} of {size} bytes and "
                    f"then nothing for {_STALLED_S:g} s. Check the sender.",
                    plain=(
                        "A picture stopped half-way, and nothing came for "
                        f"{_STALLED_S:g} s. Check the sender."
                    ),
                ) from None
            continue
        if count == 0:
            raise _EndedError
        filled += count
        last = time.monotonic()
    return buffer
