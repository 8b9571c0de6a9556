"""Write a mask as a DICOM RT Structure Set: closed contours in the patient, in mm.

A structure set is in the frame of reference of the patient, in parallel planes, so a
scan must state all of that. Most micro-ultrasound sweeps do not, and are refused.

References
----------
.. [1] DICOM PS3.3, A.19 RT Structure Set IOD; C.8.8.5, C.8.8.6, C.8.8.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core import colors
from napari_microus.core.errors import InputError
from napari_microus.core.export.dicom_object import (
    PROSTATE,
    RESEARCH_ONLY,
    check_output,
    code,
    highdicom,
    identity_of,
    join_study,
    reference,
    series_elements,
    write_object,
)
from napari_microus.core.export.dicom_source import (
    check_drawn_on,
    open_source,
    whole_frames,
)
from napari_microus.core.export.drawn_by import drawn_by
from napari_microus.core.io.dicom_header import pydicom, silent, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.export.dicom_object import Identity
    from napari_microus.core.export.dicom_source import DicomSource, SourceFrame
    from napari_microus.core.export.drawn_by import DrawnBy, HowDrawn
    from napari_microus.core.volume import Volume

_STORAGE = "1.2.840.10008.5.1.4.1.1.481.3"
# Contours may hold more than the 64 KiB that explicit VRs allow (C.8.8.6).
_IMPLICIT = "1.2.840.10008.1.2"
_STUDY = "1.2.840.10008.3.1.2.3.1"  # retired, but what type 1 asks for
# Outlines and holes, combined by exclusive or (C.8.8.6.3).
_XOR = "CLOSEDPLANAR_XOR"
_SAME_MM = 1e-3
_DIFFERS = 0.01  # of a pixel's size


def write_rt_structures(
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
    """Write a mask as an RT Structure Set with one region of interest, *Prostate*.

    Parameters
    ----------
    mask : Volume
        0 and 1 (or one other value), on the grid of the scan as `read_volume` reads it.
    source : str, Path or sequence of those
        The DICOM that the scan was read from.
    output : str or Path
        Ends in ``.dcm``.
    provenance, drawn, overwrite, deidentified, key, renamed
        See `dicom_seg.write_dicom_seg`, which also states when the patient is named.

    Returns
    -------
    Path
        The file. Each contour runs half-way between the pixels inside and outside, so
        that the centres of exactly the mask's pixels lie in it.

    Raises
    ------
    InputError
        As `write_dicom_seg`; and if the scan does not state where its frames lie in the
        patient, or they do not lie parallel at a known distance.
    OutputError
        If the file exists or cannot be written.
    """
    made_by = drawn_by(provenance, drawn)
    scan = open_source(source)
    output = check_output(output, scan, overwrite=overwrite)
    check_drawn_on(provenance, scan, renamed=renamed)
    _check_geometry(scan)
    frames = whole_frames(mask, scan)
    with silent():
        identity = identity_of(scan, deidentified=deidentified, key=key)
        contours, has_hole = [], False
        for frame, inside in zip(scan.frames, frames, strict=True):
            lines = outlines(inside)
            has_hole |= len(lines) > 1 and _has_hole(inside)
            contours += [_contour(line, frame, scan, identity) for line in lines]
        for contour in contours:  # of one kind: a reader takes all or none
            contour.ContourGeometricType = _XOR if has_hole else "CLOSED_PLANAR"
        dataset = _structure_set(scan, identity, made_by, contours)
    return write_object(dataset, output, scan, overwrite=overwrite)


def outlines(inside: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the closed outlines of one frame, half-way between pixels.

    Parameters
    ----------
    inside : ndarray of bool, shape (rows, columns)
        The mask.

    Returns
    -------
    list of ndarray, shape (n, 2)
        Rows and columns, the centre of the first pixel being (0, 0); without points on
        straight lines, and the first is not repeated. Pixels that touch at a corner
        alone are apart.
    """
    from skimage.measure import find_contours

    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return []
    columns = np.flatnonzero(inside.any(axis=0))
    first = np.array([rows[0], columns[0]])
    box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    padded = np.pad(box, 1).astype(np.float32)
    lines = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
    return [_bends(line[:-1] + first - 1) for line in lines]


def _bends(points: NDArray[np.float64]) -> NDArray[np.float64]:
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(points, -1, axis=0) - points
    turned = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return points[np.abs(turned) > 1e-9]


def _has_hole(inside: NDArray[np.bool_]) -> bool:
    """Return whether one of the outlines of a frame is that of a hole."""
    from scipy.ndimage import binary_fill_holes

    return bool((binary_fill_holes(inside, np.ones((3, 3))) != inside).any())


def _check_geometry(scan: DicomSource) -> None:
    """Refuse a scan whose frames do not lie parallel at known places in the patient."""
    grid, own = scan.grid(), scan.file_grid
    reason = None
    stated_mm = np.array(scan.pixel_mm or (0.0, 0.0))
    if not own.has_geometry:
        reason = "no pixel size in its file"
    elif scan.frame_of_reference is None:
        reason = "no frame of reference with a place for each frame"
    elif grid.metadata.get("sweep", {}).get("kind") == "rotational":
        reason = "a rotational sweep, whose frames are turned against each other"
    elif len({frame.orientation for frame in scan.frames}) > 1:
        reason = "frames that are turned against each other"
    elif len(own.array) > 1 and not own.knows_frame_distance:
        reason = "frames whose distance is unknown"
    elif np.abs(stated_mm / own.spacing_mm[1:] - 1).max() > _DIFFERS:
        reason = "several pixel sizes that contradict each other"
    elif np.abs(grid.affine - own.affine).max() > _SAME_MM:
        reason = "scan properties that differ from the file's own geometry"
    if reason is not None:
        raise InputError(
            "A structure set needs parallel frames at known places in the patient; "
            f"got {reason}, in {scan.path.name}. Write a DICOM Segmentation instead.",
            plain=(
                "A structure set needs parallel frames at known places in the "
                f"patient. {scan.path.name} has none: {reason}. Write a DICOM "
                "Segmentation instead."
            ),
        )


def _in_patient(
    points: NDArray[np.float64], frame: SourceFrame, size: tuple[float, float]
) -> NDArray[np.float64]:
    """Return points (n, 2) of a frame as (n, 3) in the patient, in mm (LPS).

    PS3.3, C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    turned = np.array(frame.orientation)
    along_row, along_column = turned[:3], turned[3:]
    place: NDArray[np.float64] = (
        np.array(frame.position)
        + points[:, 1:] * size[1] * along_row
        + points[:, :1] * size[0] * along_column
    )
    return place


def _contour(
    points: NDArray[np.float64],
    frame: SourceFrame,
    scan: DicomSource,
    identity: Identity,
) -> Any:
    placed = _in_patient(points, frame, scan.pixel_mm or (1.0, 1.0))
    short = pydicom().valuerep.format_number_as_ds
    item = pydicom().Dataset()
    item.ContourImageSequence = [reference(frame.header, identity, frame.number)]
    item.NumberOfContourPoints = len(placed)
    item.ContourData = [short(float(value)) for value in placed.round(6).ravel()]
    return item


def _structure_set(
    scan: DicomSource, identity: Identity, made_by: DrawnBy, contours: list[Any]
) -> Any:
    new = pydicom().Dataset
    dataset = highdicom().base.SOPClass(
        study_instance_uid=identity.header.StudyInstanceUID,
        sop_class_uid=_STORAGE,
        modality="RTSTRUCT",
        transfer_syntax_uid=_IMPLICIT,
        series_description="Prostate (research use only)",
        **series_elements(scan),
    )
    join_study(dataset, identity)
    dataset.OperatorsName = None
    dataset.StructureSetLabel = "PROSTATE"
    dataset.StructureSetDescription = RESEARCH_ONLY
    dataset.StructureSetDate = dataset.InstanceCreationDate
    dataset.StructureSetTime = dataset.InstanceCreationTime
    frame_of_reference = identity.uid(str(scan.frame_of_reference))
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.PositionReferenceIndicator = None
    dataset.ReferencedFrameOfReferenceSequence = [_referenced(scan, identity)]

    region = new()
    region.ROINumber, region.ROIName = 1, "Prostate"
    region.ReferencedFrameOfReferenceUID = frame_of_reference
    region.ROIGenerationAlgorithm = made_by.how.upper()
    if made_by.model:
        stated_by = f"{made_by.model} {made_by.version}"
        region.ROIGenerationDescription = stated_by[:64]
    dataset.StructureSetROISequence = [region]

    drawn = new()
    drawn.ReferencedROINumber = 1
    drawn.ROIDisplayColor = [int(colors.CAPSULE[k : k + 2], 16) for k in (1, 3, 5)]
    drawn.ContourSequence = contours
    for number, contour in enumerate(contours, start=1):
        contour.ContourNumber = number
    dataset.ROIContourSequence = [drawn]

    observed = new()
    observed.ObservationNumber, observed.ReferencedROINumber = 1, 1
    observed.RTROIIdentificationCodeSequence = [code(*PROSTATE)]
    observed.RTROIInterpretedType, observed.ROIInterpreter = "ORGAN", None
    dataset.RTROIObservationsSequence = [observed]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def _referenced(scan: DicomSource, identity: Identity) -> Any:
    """Return the study, series and files that the contours were drawn on."""
    new = pydicom().Dataset
    series, study, frame_of_reference = new(), new(), new()
    series.SeriesInstanceUID = identity.uid(
        str(value_of(scan.header, "SeriesInstanceUID"))
    )
    series.ContourImageSequence = [
        reference(frame.header, identity, frame.number) for frame in scan.frames
    ]
    study.ReferencedSOPClassUID = _STUDY
    study.ReferencedSOPInstanceUID = identity.header.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame_of_reference.FrameOfReferenceUID = identity.uid(str(scan.frame_of_reference))
    frame_of_reference.RTReferencedStudySequence = [study]
    return frame_of_reference
