"""Refuses connections to other computers, in the tests and in their children.

Python's children find ``sitecustomize.py`` beside this file on their path, and note
what they were refused in the file that `LOG` names.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import traceback

LOG = "MICROUS_NETWORK_LOG"


def is_here(host: str) -> bool:
    """Return whether an address is this computer's own."""
    if host in ("localhost", "", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which would have to be looked up elsewhere


class NetworkGuard:
    """Refuses connections to elsewhere, and remembers those that we asked for."""

    def __init__(self, log: str | None = None) -> None:
        self.ours: list[str] = []
        self._log = log
        self._connect = {
            name: getattr(socket.socket, name) for name in ("connect", "connect_ex")
        }

    def check(self, family, address):
        is_internet = family in (socket.AF_INET, socket.AF_INET6)
        if not is_internet or is_here(str(address[0])):
            return
        stack = "".join(traceback.format_stack())
        if "napari_microus" in stack:
            self.ours.append(f"{address}\n{stack}")
            if self._log is not None:
                with open(self._log, "a", encoding="utf-8") as file:
                    file.write(f"{address}\n{stack}\n")
        raise OSError(f"Tests use no network; got a connection to {address}.")

    def on(self):
        for name, connect in self._connect.items():

            def guarded(self_, address, connect=connect):
                self.check(self_.family, address)
                return connect(self_, address)

            setattr(socket.socket, name, guarded)

    def off(self):
        for name, connect in self._connect.items():
            setattr(socket.socket, name, connect)


def watch_children(folder: str, log: str) -> None:
    """Let all Python children from here on refuse and note connections."""
    os.environ[LOG] = log
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if folder not in known:
        os.environ["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, known)])
