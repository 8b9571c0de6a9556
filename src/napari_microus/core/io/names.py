"""The format and the bare name of a file."""

from __future__ import annotations

from pathlib import Path


def suffix_of(path: str | Path) -> str:
    """Return the format's suffix in lower case, ``.nii.gz`` and ``.seg.nrrd`` whole."""
    name = Path(path).name.lower()
    for whole in (".nii.gz", ".seg.nrrd"):
        if name.endswith(whole):
            return whole
    return Path(name).suffix


def stem_of(path: str | Path) -> str:
    """Return the file's name without what `suffix_of` gives.

    What follows the last point of a name such as ``Smith_2024.03.11`` is no suffix.
    """
    name, suffix = Path(path).name, suffix_of(path)
    is_number = suffix[1:].isdigit()
    return name if is_number else name[: len(name) - len(suffix)]
