"""Capsules for another program, as images over OpenIGTLink.

3D Slicer, PLUS and other platforms connect as to a scanner and lay the capsule over the
frame that they receive themselves: it lies where the frame's sender said.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from napari_microus.core.errors import OutputError
from napari_microus.core.live.messages import Placement, write_image

if TYPE_CHECKING:
    from napari_microus.core.live.following import LiveFrame

NAME = "capsule"
_LOOK_S = 0.2
_PATIENCE_S = 2.0  # with one that does not take what it is sent
_MOST = 8  # connections


class CapsuleServer:
    """Sends the newest capsule to each program of this computer that connects.

    One that is slow is sent the newest when it is ready, and holds nobody up. Nothing
    that it sends is read.

    Parameters
    ----------
    port : int
        0 takes a free one.

    Attributes
    ----------
    port : int
        Where it listens, on this computer alone.

    Raises
    ------
    OutputError
        If another program listens there.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            # Not to be reached from other computers: the protocol has no password.
            self._socket = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"A port must be free to send from; got {port}. Choose another one.",
                plain=f"Another program uses port {port}. Choose another one.",
            ) from error
        self._socket.settimeout(_LOOK_S)
        self.port: int = self._socket.getsockname()[1]
        self._changed = threading.Condition()
        self._newest: LiveFrame | None = None
        self._message = b""
        self._is_closed = False
        self._receivers: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, name=f"{NAME} server")
        self._thread.start()

    def add(self, frame: LiveFrame) -> None:
        """Send a capsule; where nobody is connected, nothing is done."""
        with self._changed:
            self._newest = frame
            if any(receiver.is_alive() for receiver in self._receivers):
                self._message = write_image(frame.mask, _placement(frame), NAME)
                self._changed.notify_all()

    def close(self) -> None:
        """End all connections and threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        for receiver in self._receivers:
            receiver.join()
        self._socket.close()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                peer, _ = self._socket.accept()
            except TimeoutError:
                continue
            self._receivers = [one for one in self._receivers if one.is_alive()]
            if len(self._receivers) >= _MOST:
                peer.close()
                continue
            peer.settimeout(_PATIENCE_S)
            receiver = threading.Thread(
                target=self._send, args=(peer,), name=f"{NAME} receiver"
            )
            receiver.start()
            self._receivers.append(receiver)

    def _send(self, peer: socket.socket) -> None:
        sent = b""
        with peer:
            while True:
                with self._changed:
                    while self._message is sent and not self._is_closed:
                        self._changed.wait()
                    if self._is_closed:
                        return
                    sent = self._message
                try:
                    peer.sendall(sent)
                except OSError:  # it has gone, or takes nothing
                    return


def _placement(frame: LiveFrame) -> Placement:
    """Return where a frame lies: as its sender said, else flat, its middle at zero."""
    if frame.placement is not None:
        return frame.placement
    height, width = frame.spacing_mm or (1.0, 1.0)
    return Placement(1, (width, 0, 0, 0, height, 0, 0, 0, 1, 0, 0, 0))
