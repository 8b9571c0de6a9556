"""What every DICOM result has in common: the patient's study, and who made it.

A result belongs into the patient's study, and so its header names the patient, the
study and its dates as the scan's does. De-identified, it names a pseudonym instead, and
every UID is replaced.
"""

from __future__ import annotations

import importlib
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import atomic_write
from napari_microus.core.io import (
    pseudonym_key,
    read_scan_properties,
    write_scan_properties,
)
from napari_microus.core.io.dicom_header import (
    faults,
    number,
    pydicom,
    silent,
    value_of,
)
from napari_microus.core.io.dicom_segmentation import PRODUCT
from napari_microus.core.io.pseudonym import dicom_pseudonym, pseudonym_uid
from napari_microus.core.provenance import package_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.export.dicom_source import DicomSource

RESEARCH_ONLY = "Research use only, not for clinical decisions"
PROSTATE = ("41216001", "SCT", "Prostate")

# Of UTF-8: all letters, and the same bytes as before for plain ones.
_UTF8 = "ISO_IR 192"
_US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
# Groups that hold what is known of patients and studies, and no pixels.
_GROUPS = (0x0008, 0x0010, 0x0012, 0x0020, 0x0032, 0x0038, 0x0040)
_MUST_BE_THERE = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID"),
    "AccessionNumber",
)
_SERIES = 1000  # series of results come after those of the machine


@dataclass(frozen=True)
class Identity:
    """Whose result it is.

    Parameters
    ----------
    header : Dataset
        Elements of the patient and the study.
    uid : callable
        Gives the UID to write in place of one of the scan's.
    is_hidden : bool
        Whether they are de-identified.
    """

    header: Any
    uid: Callable[[str], str]
    is_hidden: bool


def identity_of(
    source: DicomSource, *, deidentified: bool, key: bytes | None = None
) -> Identity:
    """Return whose result it is, as the scan states it or under a pseudonym.

    Parameters
    ----------
    source : DicomSource
        The scan.
    deidentified : bool
        Take a pseudonym, and put other UIDs in place of the scan's.
    key : bytes, optional
        Of the pseudonyms; None takes this computer's, see `core.io.pseudonym_key`.
    """
    header = pydicom().Dataset()
    uid: Callable[[str], str] = str
    if deidentified:
        secret = pseudonym_key() if key is None else key
        name = dicom_pseudonym(source.files[0][0], secret) or ""
        uid = partial(pseudonym_uid, key=secret)
        header.PatientID = header.PatientName = name
        header.PatientIdentityRemoved = "YES"
        header.DeidentificationMethod = f"{PRODUCT}: pseudonym and UIDs by keyed hash"
    else:
        _copy(source.header, header)
    for keyword in _MUST_BE_THERE:
        if keyword not in header:
            setattr(header, keyword, None)
    header.StudyInstanceUID = uid(str(value_of(source.header, "StudyInstanceUID")))
    # highdicom copies by the modules of the classes it supports.
    header.SOPClassUID, header.SOPInstanceUID = _US_IMAGE, header.StudyInstanceUID
    return Identity(header, uid, deidentified)


def highdicom() -> Any:
    """Return the module highdicom.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        return importlib.import_module("highdicom")
    except ImportError as error:
        raise InputError(
            "highdicom must be installed to write DICOM results; got none. Install it "
            "(pip install highdicom), or save the mask as NIfTI.",
            plain=(
                "DICOM results cannot be written: highdicom is not installed. "
                "Install it (pip install highdicom), or save the mask as NIfTI."
            ),
        ) from error


def series_elements(source: DicomSource) -> dict[str, Any]:
    """Return the arguments of highdicom that name the series and its maker."""
    make = highdicom().UID
    before = number(source.header, "SeriesNumber") or 0
    return {
        "series_instance_uid": make(),
        "series_number": int(_SERIES + min(max(before, 0), 1e6)),
        "sop_instance_uid": make(),
        "instance_number": 1,
        "manufacturer": PRODUCT,
        "manufacturer_model_name": PRODUCT,
        "software_versions": package_version()[:64],
        "device_serial_number": "none",
    }


def join_study(dataset: Any, identity: Identity) -> None:
    """Give a result the patient and the study, in place."""
    dataset.copy_patient_and_study_information(identity.header)
    dataset.StudyInstanceUID = identity.header.StudyInstanceUID
    dataset.SpecificCharacterSet = _UTF8
    if identity.is_hidden:
        dataset.LongitudinalTemporalInformationModified = "REMOVED"


def code(value: str, scheme: str, meaning: str) -> Any:
    """Return an item of a code sequence."""
    item = pydicom().Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = (
        value,
        scheme,
        meaning,
    )
    return item


def reference(header: Any, identity: Identity, frame: int | None = None) -> Any:
    """Return an item that refers to a file of the scan, or to one of its frames."""
    item = pydicom().Dataset()
    item.ReferencedSOPClassUID = str(value_of(header, "SOPClassUID"))
    item.ReferencedSOPInstanceUID = identity.uid(
        str(value_of(header, "SOPInstanceUID"))
    )
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def check_output(output: str | Path, source: DicomSource, *, overwrite: bool) -> Path:
    """Return the path to write to.

    Raises
    ------
    OutputError
        If it exists, does not end in .dcm, or is a file of the scan.
    """
    output = Path(output)
    if output.suffix.lower() != ".dcm":
        raise OutputError(
            f"A DICOM result must end in .dcm; got {output}. Rename it.",
            plain=(
                "The name of a DICOM result ends in .dcm; this one does not: "
                f"{output}. Rename it."
            ),
        )
    if output.exists() and not overwrite:
        raise OutputError(
            f"{output} already exists. Choose another name, or overwrite it."
        )
    if output.resolve() in {path.resolve() for path, _ in source.files}:
        raise OutputError(
            f"A result must not replace its scan; got {output}. Choose another name.",
            plain=(
                f"{output} is the scan itself and is not overwritten. Choose "
                "another name."
            ),
        )
    return output


def write_object(
    dataset: Any, output: Path, source: DicomSource, *, overwrite: bool
) -> Path:
    """Write a result, and beside it what a person stated about the scan.

    Raises
    ------
    InputError
        If the scan's header holds what cannot be written.
    OutputError
        If it cannot be written there.
    """
    broken = tuple(kind for kind in faults() if not issubclass(kind, OSError))
    with atomic_write(output, overwrite=overwrite) as beside, silent():
        try:
            dataset.save_as(beside, enforce_file_format=True)
        except OSError:
            raise
        except broken:
            raise InputError(
                "The scan's header must be valid to be taken over; got an element "
                f"that is not, in {source.path.name}. Export the scan again, or write "
                "a de-identified result.",
                plain=(
                    f"The header of {source.path.name} has an entry that is not "
                    "valid DICOM. Export the scan again, or write a de-identified "
                    "result."
                ),
            ) from None
    if read_scan_properties(output) != source.properties:
        write_scan_properties(output, source.properties)
    return output


def _copy(header: Any, to: Any) -> None:
    """Copy the elements of the groups that describe patients and studies."""
    with silent():
        for tag in list(header.keys()):
            if tag.group not in _GROUPS or tag.is_private:
                continue
            try:
                to.add(deepcopy(header[tag]))  # what follows must not change the scan
            except faults():
                continue
        to.remove_private_tags()
