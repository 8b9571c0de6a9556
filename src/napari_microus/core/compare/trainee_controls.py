"""Cases with a known answer, mixed unseen among a trainee's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io.pairing import trailing_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: List of the control cases in the reference's folder, which the trainee never sees.
CONTROLS = "controls.txt"


def read_controls(
    reference: str | Path, listed: str | Path | None = None
) -> frozenset[str]:
    """Return the names of the control cases.

    Parameters
    ----------
    reference : path
        The reference's folder; its masks of control cases are the known answers.
    listed : path, optional
        Text file with one case a line, by number (``07``) or file name
        (``gold_07.nii.gz``); what follows a ``#`` is a comment. Without it
        ``controls.txt`` in the reference's folder, if there is one.

    Raises
    ------
    InputError
        If the file named does not exist or is no text.
    """
    path = Path(reference) / CONTROLS if listed is None else Path(listed)
    if listed is None and not path.is_file():
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The list of control cases must be a text file; got {path} "
            f"({type(error).__name__}). Write one case a line.",
            plain=(
                f"{path} cannot be read as a list of control cases. Write it as "
                "text, one case a line."
            ),
        ) from error
    names = (line.split("#")[0].strip() for line in lines)
    return frozenset(trailing_number(name) or name for name in names if name)


def unknown_controls(controls: Collection[str], cases: Iterable[str]) -> list[str]:
    """Return one sentence for each control case that was not compared."""
    return [
        f"Control case {name} is not among the compared cases."
        for name in sorted(set(controls) - set(cases))
    ]
