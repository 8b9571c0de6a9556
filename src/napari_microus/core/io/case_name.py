"""Name a scan by its file, unless the file's name reveals who the patient is."""

from __future__ import annotations

from pathlib import Path

from napari_microus.core.io.dicom_identity import identifies_patient
from napari_microus.core.io.dicom_series import first_dicom
from napari_microus.core.io.names import stem_of
from napari_microus.core.io.pseudonym import dicom_pseudonym, pseudonym_key


def case_name(path: str | Path, among: str | Path | None = None) -> str:
    """Return what a scan is called in layers, results and reports.

    Where the name of a DICOM file or its folder holds an identifier of the header, see
    `identifies_patient`, it is the patient's pseudonym, see `dicom_pseudonym`.

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
    if dicom is None or not identifies_patient(name, dicom):
        return name
    return dicom_pseudonym(dicom, pseudonym_key()) or "scan"
