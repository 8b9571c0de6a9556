"""A case as a folder: the scan by reference, the capsule, and what was measured."""

from napari_microus.core.case.checking import check_case, checking_case
from napari_microus.core.case.code import case_code, check_code
from napari_microus.core.case.opening import open_case, opening_case, read_case
from napari_microus.core.case.record import DOCUMENT, USE, Case, CaseMask
from napari_microus.core.case.saving import save_case, saving_case
from napari_microus.core.case.scan_reference import pixels_sha256

__all__ = [
    "DOCUMENT",
    "USE",
    "Case",
    "CaseMask",
    "case_code",
    "check_case",
    "check_code",
    "checking_case",
    "open_case",
    "opening_case",
    "pixels_sha256",
    "read_case",
    "save_case",
    "saving_case",
]
