"""What to send with a report of a problem: versions, device, the last log lines.

No names, paths, layers or patients: of a log line only what our own code says is kept,
with every path and quoted word taken out.
"""

from __future__ import annotations

import logging
import platform
import re
import traceback
from collections import deque
from importlib.metadata import PackageNotFoundError, version

from napari_microus.core.device import device_statuses

_PACKAGES = (
    *("napari-microus", "napari", "npe2", "qtpy", "PyQt6", "PySide6", "superqt"),
    *("torch", "monai", "numpy", "scipy", "scikit-image", "pydicom", "SimpleITK"),
)
_LINES = 40
_PACKAGE = "napari_microus"
# What may reveal somebody: quoted words, file names and paths, addresses, numbers as
# long as a date or a record's.
_TELLING = (
    (re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|‘[^’\n]*’|“[^”\n]*”"), "'…'"),
    (re.compile(r"\S*[\\/]\S*"), "<path>"),
    (re.compile(r"\S+@\S+"), "<address>"),
    (re.compile(r"\S*\.[A-Za-z][A-Za-z0-9]{1,5}\b"), "<file>"),
    (re.compile(r"\b\w*\d{4,}\w*\b"), "<number>"),
    (re.compile(r"\b\w+\^[\w^]*"), "<name>"),
)


class LogTail(logging.Handler):
    """Keeps the last lines that our own modules logged, without what was filled in.

    Of a line: its level and place, the kind of error, where in our code it was raised,
    and the words of the code. Words that may hold a file or a name, because they were
    put together before they were logged, are left out.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[str] = deque(maxlen=_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line; logging's name."""
        parts = [record.levelname, f"{record.name}:{record.lineno}"]
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            parts += [type(error).__name__, *_places(error)]
        if record.args:
            parts.append(without_names(str(record.msg)))
        self.lines.append(" ".join(parts))


def _places(error: BaseException) -> list[str]:
    """Return where in our code an error passed, the last places."""
    found = []
    for frame in traceback.extract_tb(error.__traceback__):
        _, ours, inside = frame.filename.replace("\\", "/").rpartition(f"{_PACKAGE}/")
        if ours:
            found.append(f"{inside}:{frame.lineno}")
    return found[-4:]


_tail: list[LogTail] = []


def listen() -> LogTail:
    """Keep what our modules log from now on; asking again changes nothing."""
    if not _tail:
        _tail.append(LogTail())
        logging.getLogger(_PACKAGE).addHandler(_tail[0])
    return _tail[0]


def without_names(words: str) -> str:
    """Return a line without paths, file names, quoted words and long numbers."""
    for pattern, stand_in in _TELLING:
        words = pattern.sub(stand_in, words)
    return words


def diagnostics() -> str:
    """Return versions, devices and the last log lines, to be pasted into a report."""
    lines = ["MicroUS diagnostics (no names, paths or pictures)"]
    lines.append(f"Python {platform.python_version()} on {_system()}")
    lines += [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
    lines.append(f"Qt binding: {_binding()}; screen: {_screen()}")
    for device in device_statuses():
        lines.append(f"{device.name}: {device.reason or 'usable'}")
    lines.append(f"Log, last {_LINES} lines at most:")
    lines += [f"  {line}" for line in listen().lines] or ["  (nothing)"]
    return "\n".join(lines)


def copy_diagnostics() -> str:
    """Put the diagnostics on the clipboard and return them."""
    from qtpy.QtWidgets import QApplication

    words = diagnostics()
    QApplication.clipboard().setText(words)
    return words


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _system() -> str:
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def _binding() -> str:
    import qtpy

    return f"{qtpy.API_NAME} {qtpy.QT_VERSION}"


def _screen() -> str:
    from qtpy.QtGui import QGuiApplication

    screen = QGuiApplication.primaryScreen()
    if screen is None:
        return "none"
    size = screen.size()
    return f"{size.width()} × {size.height()}, scale {screen.devicePixelRatio():g}"
