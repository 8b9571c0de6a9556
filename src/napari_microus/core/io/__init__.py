"""Read scans and masks, and write results, in the formats of the clinic."""

from napari_microus.core.io.dicom import dicom_frames, read_dicom
from napari_microus.core.io.dicom_series import DicomSeries, dicom_series
from napari_microus.core.io.masks import (
    as_mask,
    distinct_values,
    placed_on,
    read_labels,
    read_mask,
)
from napari_microus.core.io.pseudonym import (
    dicom_pseudonym,
    pseudonym_key,
    pseudonym_uid,
)
from napari_microus.core.io.reading import (
    READABLE,
    is_readable,
    read_volume,
    stem_of,
    suffix_of,
)
from napari_microus.core.io.scan_properties import ScanProperties
from napari_microus.core.io.scan_sidecar import (
    read_scan_properties,
    scan_sidecar_of,
    write_scan_properties,
)
from napari_microus.core.io.writing import (
    WRITABLE,
    read_provenance,
    sidecar_of,
    write_mask,
    write_volume,
)

__all__ = [
    "READABLE",
    "WRITABLE",
    "DicomSeries",
    "ScanProperties",
    "as_mask",
    "dicom_frames",
    "dicom_pseudonym",
    "dicom_series",
    "distinct_values",
    "is_readable",
    "placed_on",
    "pseudonym_key",
    "pseudonym_uid",
    "read_dicom",
    "read_labels",
    "read_mask",
    "read_provenance",
    "read_scan_properties",
    "read_volume",
    "scan_sidecar_of",
    "sidecar_of",
    "stem_of",
    "suffix_of",
    "write_mask",
    "write_scan_properties",
    "write_volume",
]
