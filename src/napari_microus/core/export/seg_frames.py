"""The frames of a DICOM Segmentation: what each was drawn on, and where it lies.

References
----------
.. [1] DICOM PS3.3, A.51.5 Segmentation Functional Groups; C.7.6.16; C.7.6.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.export.dicom_object import code, highdicom, reference
from napari_microus.core.io.dicom_header import items, number, pydicom, value_of
from napari_microus.core.io.dicom_size import stated_lengths

if TYPE_CHECKING:
    from napari_microus.core.export.dicom_object import Identity
    from napari_microus.core.export.dicom_source import DicomSource, SourceFrame

_DERIVED = ("113076", "DCM", "Segmentation")
_SOURCE = ("121322", "DCM", "Source image for image processing operation")

_WHOLE = (
    *("RegionSpatialFormat", "RegionDataType", "RegionFlags"),
    *("RegionLocationMinX0", "RegionLocationMinY0"),
    *("RegionLocationMaxX1", "RegionLocationMaxY1"),
    *("PhysicalUnitsXDirection", "PhysicalUnitsYDirection"),
    *("ReferencePixelX0", "ReferencePixelY0"),
)
_REAL = (
    *("PhysicalDeltaX", "PhysicalDeltaY"),
    *("ReferencePixelPhysicalValueX", "ReferencePixelPhysicalValueY"),
)


def refer(dataset: Any, scan: DicomSource, identity: Identity) -> None:
    """Name every file of the scan (PS3.3, C.12.2 and C.12.4)."""
    headers = [header for _, header in scan.files]
    series = pydicom().Dataset()
    series.SeriesInstanceUID = identity.uid(
        str(value_of(scan.header, "SeriesInstanceUID"))
    )
    series.ReferencedInstanceSequence = [reference(h, identity) for h in headers]
    dataset.ReferencedSeriesSequence = [series]
    images = [reference(header, identity) for header in headers]
    for image in images:
        image.PurposeOfReferenceCodeSequence = [code(*_SOURCE)]
    dataset.SourceImageSequence = images
    is_lossy = any(value_of(h, "LossyImageCompression") == "01" for h in headers)
    dataset.LossyImageCompression = "01" if is_lossy else "00"


def place(dataset: Any, scan: DicomSource, identity: Identity) -> None:
    """Add the functional groups: what each frame was drawn on, and where it lies."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    own = [_frame_group(frame, identity) for frame in scan.frames]
    size = scan.pixel_mm
    ranks = None
    if scan.frame_of_reference is not None and size is not None:
        dataset.FrameOfReferenceUID = identity.uid(scan.frame_of_reference)
        dataset.PositionReferenceIndicator = None
        shared.PixelMeasuresSequence = [_measures(scan, size)]
        ranks = _place_in_patient(shared, own, scan)
    else:
        dataset.PatientOrientation = None  # type 2C: unknown
        _state_lengths(dataset, scan)
    # With these our reader cuts the same tissue out of the segmentation.
    regions = items(scan.header, "SequenceOfUltrasoundRegions")
    if regions:
        dataset.SequenceOfUltrasoundRegions = [_region(item) for item in regions]
    _index(dataset, own, ranks)
    dataset.PerFrameFunctionalGroupsSequence = own


def _place_in_patient(
    shared: Any, own: list[Any], scan: DicomSource
) -> list[int] | None:
    """Find where the frames lie, and return their order along the stack.

    None where they are turned against each other.
    """
    hd = highdicom()
    for group, frame in zip(own, scan.frames, strict=True):
        group.PlanePositionSequence = hd.PlanePositionSequence(
            "PATIENT", frame.position
        )
    if len({frame.orientation for frame in scan.frames}) == 1:
        shared.PlaneOrientationSequence = hd.PlaneOrientationSequence(
            "PATIENT", scan.frames[0].orientation
        )
        return _ranks(scan)
    for group, frame in zip(own, scan.frames, strict=True):
        group.PlaneOrientationSequence = hd.PlaneOrientationSequence(
            "PATIENT", frame.orientation
        )
    return None


def _frame_group(frame: SourceFrame, identity: Identity) -> Any:
    new = pydicom().Dataset
    image = reference(frame.header, identity, frame.number)
    image.PurposeOfReferenceCodeSequence = [code(*_SOURCE)]
    image.SpatialLocationsPreserved = "YES"
    derived, group = new(), new()
    derived.SourceImageSequence = [image]
    derived.DerivationCodeSequence = [code(*_DERIVED)]
    group.DerivationImageSequence = [derived]
    group.FrameContentSequence = [new()]
    return group


def _index(dataset: Any, groups: list[Any], ranks: list[int] | None) -> None:
    """Index the frames by segment and place, or by their number in the sweep.

    Frames without a place are a stack in the order of the scan (PS3.3,
    C.7.6.16.2.2.4).
    """
    organization = dataset.DimensionOrganizationSequence[0].DimensionOrganizationUID
    by_place = ("ImagePositionPatient", "PlanePositionSequence")
    in_stack = ("InStackPositionNumber", "FrameContentSequence")
    sequence = []
    for pointer, group in (
        ("ReferencedSegmentNumber", "SegmentIdentificationSequence"),
        in_stack if ranks is None else by_place,
    ):
        item = pydicom().Dataset()
        item.DimensionOrganizationUID = organization
        item.DimensionIndexPointer = pydicom().datadict.tag_for_keyword(pointer)
        item.FunctionalGroupPointer = pydicom().datadict.tag_for_keyword(group)
        item.DimensionDescriptionLabel = pydicom().datadict.dictionary_description(
            item.DimensionIndexPointer
        )
        sequence.append(item)
    dataset.DimensionIndexSequence = sequence
    for k, group in enumerate(groups):
        content = group.FrameContentSequence[0]
        content.DimensionIndexValues = [1, k + 1 if ranks is None else ranks[k]]
        if ranks is None:
            content.StackID, content.InStackPositionNumber = "1", k + 1


def _ranks(scan: DicomSource) -> list[int] | None:
    """Return the place of each frame along the stack, None where two share one."""
    turned = scan.frames[0].orientation or ()
    normal = np.cross(turned[:3], turned[3:])
    along = np.array([frame.position for frame in scan.frames]) @ normal
    order = np.argsort(along, kind="stable")
    if len(along) > 1 and np.diff(along[order]).min() < 1e-6:
        return None
    ranks = np.empty(len(along), int)
    ranks[order] = np.arange(1, len(along) + 1)
    return [int(rank) for rank in ranks]


def _measures(scan: DicomSource, size: tuple[float, float]) -> Any:
    grid = scan.file_grid
    thickness = number(scan.header, "SliceThickness")
    knows = len(grid.array) > 1 and grid.knows_frame_distance
    sequence = highdicom().PixelMeasuresSequence(
        pixel_spacing=size,
        slice_thickness=thickness if thickness and thickness > 0 else None,
        spacing_between_slices=grid.spacing_mm[0] if knows else None,
    )
    return sequence[0]


def _state_lengths(dataset: Any, scan: DicomSource) -> None:
    """Add the pixel size to the file as a whole.

    The functional group for it needs a frame of reference (PS3.3, A.51.5); these are
    further elements, which a Standard Extended SOP Class may have (PS3.2, 3.11.3).
    """
    short = pydicom().valuerep.format_number_as_ds
    for keyword, value in stated_lengths(scan.header).items():
        setattr(dataset, keyword, [short(part) for part in value])


def _region(item: Any) -> Any:
    """Return a region of the picture, with its numbers alone."""
    region = pydicom().Dataset()
    for keywords, kind in ((_WHOLE, int), (_REAL, float)):
        for keyword in keywords:
            value = number(item, keyword)
            if value is not None:
                setattr(region, keyword, kind(value))
    return region
