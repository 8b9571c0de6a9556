"""Name a scan by its file, unless the file's name tells who the patient is."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import read_header, told
from napari_microus.core.io.dicom_series import first_dicom
from napari_microus.core.io.names import stem_of
from napari_microus.core.io.pseudonym import dicom_pseudonym, pseudonym_key

if TYPE_CHECKING:
    from typing import Any

_TELLING = (
    *("PatientName", "PatientID", "PatientBirthDate", "OtherPatientNames"),
    *("PatientBirthName", "AccessionNumber"),
)
# Shorter parts of a name occur in other words.
_SHORTEST = 3


def case_name(path: str | Path, among: str | Path | None = None) -> str:
    """Return what a scan is called in layers, results and reports.

    Where the name of a DICOM file or its folder holds the header's patient (name,
    number, date of birth, or accession number), it is the patient's pseudonym, see
    `pseudonym.dicom_pseudonym`.

    Parameters
    ----------
    path : str or Path
        The scan's file or folder, whose name is taken.
    among : str or Path, optional
        One of the scan's files, where the folder holds several scans.

    Returns
    -------
    str
        The name without its ending, or the pseudonym.
    """
    name = stem_of(path)
    dicom = first_dicom(Path(path if among is None else among))
    if dicom is None or not _tells(name, dicom):
        return name
    return dicom_pseudonym(dicom, pseudonym_key()) or "scan"


def _tells(name: str, dicom: Path) -> bool:
    """Return whether a name holds a word of a header by which somebody is known."""
    try:
        header = read_header(dicom)
    except InputError:  # what is wrong with it is told when it is read
        return False
    plain = _plain(name)
    return any(word in plain for word in _words(header))


def _words(header: Any) -> set[str]:
    words = set()
    for keyword in _TELLING:
        for part in re.split(r"[\^=,;\\ ]+", str(told(header, keyword) or "")):
            if len(_plain(part)) >= _SHORTEST:
                words.add(_plain(part))
    return words


def _plain(text: str) -> str:
    """Return the letters and figures of a text, without case or accents."""
    split = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in split if letter.isalnum())
