"""Write a mask as a DICOM Segmentation of its scan.

highdicom makes the modules and the coded terms. It has no segmentation of several
frames without a frame of reference, which is what ultrasound cines are, and no frames
that are turned against each other; so the frames and their functional groups are added
here.

References
----------
.. [1] DICOM PS3.3, A.51 Segmentation IOD; C.8.20.2 Segmentation Image Module.
.. [2] DICOM PS3.3, A.51.5.1: without a frame of reference each pixel is one of the
       referenced frame, stated by the Derivation Image functional group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.export.dicom_object import (
    PROSTATE,
    RESEARCH_ONLY,
    check_output,
    highdicom,
    identity_of,
    join_study,
    series_elements,
    write_object,
)
from napari_microus.core.export.dicom_source import (
    check_drawn_on,
    open_source,
    whole_frames,
)
from napari_microus.core.export.drawn_by import drawn_by
from napari_microus.core.export.seg_frames import place, refer
from napari_microus.core.io.dicom_header import pydicom, silent, value_of
from napari_microus.core.io.dicom_segmentation import PRODUCT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.export.dicom_object import Identity
    from napari_microus.core.export.dicom_source import DicomSource
    from napari_microus.core.export.drawn_by import DrawnBy, HowDrawn
    from napari_microus.core.volume import Volume

_STRUCTURE = ("91723000", "SCT", "Anatomical Structure")
# `colors.CAPSULE` in CIELab (D65); scikit-image converts it, but takes seconds to load.
_CAPSULE_LAB = (89.12, -13.33, 75.45)
_AI = ("123110", "DCM", "Artificial Intelligence")


def write_dicom_seg(
    mask: Volume,
    source: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    provenance: Mapping[str, Any] | None = None,
    drawn: HowDrawn | None = None,
    overwrite: bool = False,
    deidentified: bool = False,
    key: bytes | None = None,
    renamed: bool = False,
) -> Path:
    """Write a mask as a DICOM Segmentation, whole or not at all.

    Every frame of the scan has one, of the size of its whole picture; what was cut to
    the region of tissue lies at its place. The file belongs to the patient's study and
    **names the patient as the scan does**, unless it is de-identified.

    Parameters
    ----------
    mask : Volume
        0 and 1 (or one other value), on the grid of the scan as `read_volume` reads it.
    source : str, Path or sequence of those
        The DICOM that the scan was read from.
    output : str or Path
        Ends in ``.dcm``. What a person stated about the scan (``scan.json``) is stated
        again beside it.
    provenance : mapping, optional
        Who drew the mask, as `core.io.read_provenance` reads it.
    drawn : {"automatic", "semiautomatic", "manual"}, optional
        Who drew it, where the provenance does not state it.
    overwrite : bool
        Replace a file that is there.
    deidentified : bool
        Name a pseudonym in place of the patient, no dates, and other UIDs. The
        references then fit a scan alone whose UIDs were replaced with the same key
        (`core.io.pseudonym_uid`).
    key : bytes, optional
        Of the pseudonyms; None takes this computer's.
    renamed : bool
        The scan's file has another name than when the mask was drawn.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the mask is empty, undecided somewhere, of another grid or scan; nobody
        states who drew it; or the scan is missing, no DICOM, or of several patients.
    OutputError
        If the file exists or cannot be written.
    """
    made_by = drawn_by(provenance, drawn)
    scan = open_source(source)
    output = check_output(output, scan, overwrite=overwrite)
    check_drawn_on(provenance, scan, renamed=renamed)
    frames = whole_frames(mask, scan)
    with silent():
        identity = identity_of(scan, deidentified=deidentified, key=key)
        dataset = _segmentation(scan, identity, made_by)
        dataset.NumberOfFrames = scan.shape[0]
        dataset.PixelData = packed(frames)
        dataset["PixelData"].VR = "OB"
    return write_object(dataset, output, scan, overwrite=overwrite)


def packed(frames: Iterable[NDArray[np.bool_]]) -> bytes:
    """Return frames as DICOM's single bits: the first pixel lowest, no gaps between.

    References
    ----------
    .. [1] DICOM PS3.5, 8.1.1 and annex D.
    """
    parts, rest = [], np.zeros(0, bool)
    for frame in frames:
        bits = np.concatenate([rest, frame.ravel()])
        whole = len(bits) // 8 * 8
        parts.append(np.packbits(bits[:whole], bitorder="little").tobytes())
        rest = bits[whole:]
    parts.append(np.packbits(rest, bitorder="little").tobytes())
    data = b"".join(parts)
    return data + b"\0" * (len(data) % 2)


def _segmentation(scan: DicomSource, identity: Identity, made_by: DrawnBy) -> Any:
    """Return the dataset without its pixels."""
    hd = highdicom()
    _, rows, columns = scan.shape
    # One frame of the scan, without a place: this highdicom supports.
    one = pydicom().Dataset()
    one.update(_bare_image(scan, identity))
    one.Rows, one.Columns = rows, columns
    dataset = hd.seg.Segmentation(
        source_images=[one],
        pixel_array=np.zeros((1, rows, columns), bool),
        segmentation_type="BINARY",
        segment_descriptions=[_segment(made_by)],
        content_label="PROSTATE",
        content_description=RESEARCH_ONLY,
        series_description="Prostate (research use only)",
        omit_empty_frames=False,
        **series_elements(scan),
    )
    dataset.ContentCreatorName = None  # type 2; whoever drew it is not named
    join_study(dataset, identity)
    refer(dataset, scan, identity)
    place(dataset, scan, identity)
    return dataset


def _bare_image(scan: DicomSource, identity: Identity) -> Any:
    """Return a bare ultrasound image of the scan's study, with nobody's name."""
    bare = pydicom().Dataset()
    bare.SOPClassUID = identity.header.SOPClassUID
    bare.SOPInstanceUID = identity.uid(str(value_of(scan.header, "SOPInstanceUID")))
    bare.SeriesInstanceUID = identity.uid(
        str(value_of(scan.header, "SeriesInstanceUID"))
    )
    bare.StudyInstanceUID = identity.header.StudyInstanceUID
    bare.Modality = "US"
    for keyword in (
        *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
        *("AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
    ):
        setattr(bare, keyword, "")
    return bare


def _segment(made_by: DrawnBy) -> Any:
    hd = highdicom()
    algorithm = None
    if made_by.how != "manual":
        algorithm = hd.AlgorithmIdentificationSequence(
            name=made_by.model,
            family=hd.sr.CodedConcept(*_AI),
            version=made_by.version,
            source=PRODUCT,
            parameters=made_by.parameters or None,
        )
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Prostate",
        segmented_property_category=hd.sr.CodedConcept(*_STRUCTURE),
        segmented_property_type=hd.sr.CodedConcept(*PROSTATE),
        algorithm_type=made_by.how.upper(),
        algorithm_identification=algorithm,
        display_color=hd.color.CIELabColor(*_CAPSULE_LAB),
    )
