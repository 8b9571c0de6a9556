"""Whether a name that people see carries what a DICOM header states about a person."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import read_header, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ELEMENTS = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs"),
    *("OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"),
    *("PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers"),
    *("AccessionNumber", "StudyID", "AdmissionID", "StudyDate", "SeriesDate"),
    *("AcquisitionDate", "ContentDate", "InstitutionName", "InstitutionAddress"),
    *("ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"),
    *("NameOfPhysiciansReadingStudy", "RequestingPhysician", "StationName"),
    *("DeviceSerialNumber", "SOPInstanceUID", "SeriesInstanceUID"),
    *("StudyInstanceUID", "FrameOfReferenceUID"),
)
# Shorter ones are found in words of any language.
_SHORTEST = 3
# A word of fewer letters counts only where it stands alone: Can is no part of scan.
_WITHIN = 5


def identifies_patient(name: str, path: Path) -> bool:
    """Return whether ``name`` holds an identifier that the header of ``path`` states.

    Parameters
    ----------
    name : str
        Such as a file's name, or a path of several folders.
    path : Path
        A DICOM file. Of one that cannot be read nothing is known.

    Notes
    -----
    Names, numbers, dates, institutions, devices and UIDs count, each word for itself
    from three letters on, whatever its case and accents, with or without separators.
    """
    try:
        header = read_header(path)
    except InputError:
        return False
    plain = _without_accents(name)
    parts = [word for word in re.split(r"[\W_]+|(?<=\D)(?=\d)", plain) if word]
    ends = range(len(parts) + 1)
    joined = {"".join(parts[i:j]) for i, j in itertools.combinations(ends, 2)}
    return any(
        word in joined or (len(word) >= _WITHIN and word in plain)
        for word in _words(header)
    )


def _without_accents(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _words(header: Any) -> Iterator[str]:
    for keyword in _ELEMENTS:
        value = value_of(header, keyword)
        if value is None:
            continue
        # Of several values; a name is no sequence, though it can be iterated.
        for one in value if isinstance(value, MutableSequence) else [value]:
            text = _without_accents(str(one)).strip()
            whole = re.sub(r"[\W_]+", "", text)
            for word in {text, whole, *re.split(r"[\W_]+", text)}:
                # The parts of a UID are numbers that mean nobody.
                is_part = keyword.endswith("UID") and word not in (text, whole)
                if len(word) >= _SHORTEST and not is_part:
                    yield word
