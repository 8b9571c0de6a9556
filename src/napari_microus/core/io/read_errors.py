"""Sentences for files that cannot be read, from what libraries report of them."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Words by which a library reports that a file is damaged or a part of it missing.
_DAMAGE = re.compile(
    r"corrupt|truncat|missing|damaged|broken|invalid|failed to|zeroed|not found|"
    r"unexpected end|incomplete|nonuniform|non-uniform|does not match|out of bounds",
    re.IGNORECASE,
)


def damaged(path: Path, kind: str, said: str = "") -> InputError:
    """Return the error for a file that is cut short, damaged or foreign.

    ``said`` is what the library reported about it.
    """
    words = f" ({said.strip().rstrip('.')})" if said.strip() else ""
    thing = "image" if kind == "DICOM" else "file"
    return InputError(
        f"A {kind} file must be complete and of that format; got {path}, which is "
        f"damaged, cut short or something else{words}. Copy or export it again.",
        plain=f"Cannot read {path.name}: not a {kind} {thing}, or incomplete. Copy or "
        "export it again.",
    )


def part_missing(path: Path, name: str) -> InputError:
    """Return the error for a file that names another one, which is not there."""
    return InputError(
        f"The files that a file names must lie beside it; got {path} without {name}. "
        "Copy both.",
        plain=(
            f"{path.name} belongs together with {name}, which is not there. Copy both "
            "into one folder."
        ),
    )


def reports_damage(text: str) -> bool:
    """Return whether a library's message means that not all of a file was read."""
    return bool(_DAMAGE.search(text))


@contextmanager
def library_messages(*loggers: str) -> Iterator[list[str]]:
    """Collect what a library logs or warns of damage while it reads a file.

    Many readers continue with zeros in place of what is missing and only say so.

    Parameters
    ----------
    *loggers : str
        Names of the loggers to listen to, such as ``tifffile``.

    Yields
    ------
    list of str
        Filled in the course: what shows damage.
    """
    kept: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if reports_damage(text):
                kept.append(text)

    before = []
    for name in loggers:
        logger = logging.getLogger(name)
        before.append((logger, logger.handlers[:], logger.propagate))
        logger.handlers[:], logger.propagate = [Listener()], False
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield kept
        kept += [str(w.message) for w in warned if reports_damage(str(w.message))]
    finally:
        for logger, handlers, propagate in before:
            logger.handlers[:], logger.propagate = handlers, propagate
