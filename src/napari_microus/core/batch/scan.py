"""One of many scans: its files, and the name of its results."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume, suffix_of
from napari_microus.core.io.frames import frames_in, without_masks
from napari_microus.core.io.nrrd import data_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_microus.core.volume import Volume

_BLOCK = 1 << 20
_HERE = "\0"  # in no path and no sentence
_WITH_DATA_APART = (".nhdr", ".nrrd", ".mhd", ".mha")


@dataclass(frozen=True)
class Scan:
    """A scan of a batch.

    Parameters
    ----------
    name : str
        Names its results, with ``/`` between folders; no two scans share one.
    label : str
        What people read: the path below the folder of scans, or ``name`` where that
        path carries an identifier of a DICOM header.
    files : tuple of Path
        A file, a folder of pictures, or the files of one DICOM series.
    fault : str
        Why it cannot be segmented, where that was found while it was listed.
    """

    name: str
    label: str
    files: tuple[Path, ...]
    fault: str = ""

    def read(self) -> Volume:
        """Return the scan; see `read_volume` for errors."""
        return read_volume(self.files if len(self.files) > 1 else self.files[0])

    def without_paths(self, sentence: str) -> str:
        """Return a sentence with the label in place of the paths of the files."""
        for path in self.files:
            for written in (str(path), path.name):
                sentence = sentence.replace(written, _HERE)
        return sentence.replace(_HERE, self.label)


def content_sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the bytes of files, one after the other.

    Of a folder its pictures count in natural order, masks beside them left out; of a
    header also the files that it names. What a person stated about the scan is no part
    of it.

    Raises
    ------
    InputError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            for part in _parts(path):
                with part.open("rb") as file:
                    while block := file.read(_BLOCK):
                        digest.update(block)
        except OSError as error:
            raise InputError(
                f"The files of a scan must be readable; got {path} "
                f"({error.strerror}). Check that it is there, and its permissions.",
                plain=(
                    f"The file {path} of a scan cannot be read ({error.strerror}). "
                    "Check that it is there, and its permissions."
                ),
            ) from error
    return digest.hexdigest()


def _parts(path: Path) -> list[Path]:
    if path.is_dir():
        return without_masks(frames_in(path))[0]
    if suffix_of(path) in _WITH_DATA_APART:
        return [path, *data_files(path)]
    return [path]
