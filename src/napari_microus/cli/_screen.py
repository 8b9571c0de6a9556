"""Find a display, or make one where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which

from napari_microus.core.errors import DeviceError


def has_display() -> bool:
    """Return whether a window can be opened here."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def virtual_screen(size: str = "1600x1000x24") -> Iterator[None]:
    """Provide a display for the block: the one there is, or an Xvfb of our own.

    Parameters
    ----------
    size : str
        Width, height and depth of the virtual screen.

    Raises
    ------
    DeviceError
        If there is no display and Xvfb is not installed or does not start.
    """
    if has_display():
        yield
        return
    if which("Xvfb") is None:
        raise DeviceError(
            "Drawing the window needs a display; got none and no Xvfb. "
            "Install it, for example with: apt-get install xvfb.",
            plain=(
                "The window cannot be drawn: there is no display, and Xvfb is not "
                "installed. Install it, for example with: apt-get install xvfb."
            ),
        )
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", size],
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as number:
        display = number.readline().strip()
    if not display:
        server.wait()
        raise DeviceError(
            f"Xvfb must start; got exit status {server.returncode}. "
            "Run `Xvfb :99` to see why.",
            plain=(
                f"Xvfb did not start (exit status {server.returncode}). Run `Xvfb "
                ":99` to see why."
            ),
        )
    os.environ["DISPLAY"] = f":{display}"
    try:
        yield
    finally:
        del os.environ["DISPLAY"]
        server.terminate()
        server.wait()
