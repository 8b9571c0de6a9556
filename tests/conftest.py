"""No test may reach beyond this computer, nor into its user's own folders."""

import ipaddress
import os
import shutil
import socket
import tempfile
import traceback
from pathlib import Path

import pytest

# Set before anything asks for them; children of the tests inherit them. The cache
# stays: napari's pictures and matplotlib's fonts take seconds to make anew.
OWN = Path(tempfile.mkdtemp(prefix="microus-tests-"))
for kind in ("CONFIG", "DATA", "STATE"):
    os.environ[f"XDG_{kind}_HOME"] = str(OWN / kind.lower())

# Texts are compared in English, whatever the system speaks.
os.environ["LANGUAGE"] = "en"

# Several processes of tests, each with as many threads as there are cores, would
# wait for each other; torch and its children read this as they are imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def is_here(host):
    """Return whether an address is this computer's own."""
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which would have to be looked up elsewhere


def pytest_unconfigure():
    shutil.rmtree(OWN, ignore_errors=True)


class NetworkGuard:
    """Refuses connections to elsewhere, and remembers those that we asked for."""

    def __init__(self):
        self.ours = []
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


@pytest.fixture(scope="session", autouse=True)
def network_guard():
    """Fail at the end where our code asked for another computer unasked."""
    guard = NetworkGuard()
    guard.on()
    yield guard
    guard.off()
    assert not guard.ours, guard.ours[0]
