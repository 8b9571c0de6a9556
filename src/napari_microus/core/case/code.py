"""The code under which a case is known, which does not reveal who it is."""

from __future__ import annotations

import base64
import re

from napari_microus.core.errors import InputError

# As in case-schema.json: also the name of a file in any system.
_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_LETTERS = 10


def check_code(code: str) -> str:
    """Return a case's code without spaces around it.

    Raises
    ------
    InputError
        If it is empty, long, or holds other characters than letters and digits,
        spaces, points, hyphens and underscores.
    """
    code = code.strip()
    if not _CODE.fullmatch(code):
        shown = code if len(code) <= 40 else f"{code[:39]}…"
        raise InputError(
            "The code of a case must be 1 to 64 letters, digits, spaces, points, "
            f"hyphens or underscores; got '{shown}'. Take a code that does not reveal "
            "who it is.",
            plain=(
                "This code cannot be used. Take 1 to 64 letters, digits, "
                "spaces, points, hyphens or underscores, and a code that "
                "does not reveal who it is."
            ),
        )
    return code


def case_code(pixels_sha256: str) -> str:
    """Return the code of a case that nobody named, such as ``C-K3V7QX2A4M``.

    It is made of the scan's pixels: the same for a scan each time, and of no name,
    number or date.
    """
    letters = base64.b32encode(bytes.fromhex(pixels_sha256)).decode("ascii")
    return f"C-{letters[:_LETTERS]}"
