"""A mask as contours in the patient, against calculations by hand and skimage."""

import numpy as np
import pydicom
import pytest
from skimage.draw import polygon2mask

from dicom_files import FULL, dataset, region, save, series
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.export.rt_structures import outlines, write_rt_structures
from napari_microus.core.io import (
    ScanProperties,
    dicom_pseudonym,
    pseudonym_uid,
    read_volume,
    write_scan_properties,
)
from napari_microus.core.sweep import Sweep


@pytest.fixture
def scan(tmp_path):
    """Coronal frames of 0.3 × 0.2 mm pixels, 0.7 mm apart, from (1, 2, 3) on."""
    series(tmp_path / "scan")
    return tmp_path / "scan"


def mask_on(folder, *boxes):
    volume = read_volume(folder)
    array = np.zeros(volume.shape, np.uint8)
    for box in boxes:
        array[box] = 1
    return volume.like(array)


def contours_of(path):
    """Points (n, 3) in mm of each contour, with the contour."""
    (drawn,) = pydicom.dcmread(path).ROIContourSequence
    return [
        (np.array(item.ContourData, float).reshape(-1, 3), item)
        for item in drawn.ContourSequence
    ]


def test_contour_of_one_pixel_is_where_the_hand_puts_it(scan, tmp_path):
    mask = mask_on(scan, (2, 4, 7))

    path = write_rt_structures(mask, scan, tmp_path / "rt.dcm", drawn="manual")

    ((points, item),) = contours_of(path)
    # Column 7 lies at x = 1 + 7 · 0.2 = 2.4, row 4 at z = 3 - 4 · 0.3 = 1.8, frame 2 at
    # y = 2 + 2 · 0.7 = 3.4; the outline is half a pixel away, 0.1 along x, 0.15 along z
    expected = {(2.3, 3.4, 1.8), (2.5, 3.4, 1.8), (2.4, 3.4, 1.65), (2.4, 3.4, 1.95)}
    assert {tuple(point.round(6)) for point in points} == expected
    assert item.ContourGeometricType == "CLOSED_PLANAR"
    assert item.NumberOfContourPoints == 4
    third = pydicom.dcmread(scan / "2.dcm")
    (image,) = item.ContourImageSequence
    assert image.ReferencedSOPInstanceUID == third.SOPInstanceUID


def filled(path, scan):
    """The mask that the contours enclose, by skimage, frame by frame."""
    volume = read_volume(scan)
    array = np.zeros(volume.shape, bool)
    for points, _ in contours_of(path):
        frame = round((points[0, 1] - 2) / 0.7)
        at = np.stack([(3 - points[:, 2]) / 0.3, (points[:, 0] - 1) / 0.2], axis=1)
        array[frame] ^= polygon2mask(volume.shape[1:], at)
    return array


def test_contours_enclose_the_centres_of_exactly_the_masks_pixels(scan, tmp_path):
    mask = mask_on(scan)
    rng = np.random.default_rng(4)
    mask.array[1:5] = rng.integers(0, 2, (4, 20, 30))  # noise, up to the edges

    path = write_rt_structures(mask, scan, tmp_path / "rt.dcm", drawn="manual")

    np.testing.assert_array_equal(filled(path, scan), mask.array)


def test_a_hole_is_reported_to_be_one(scan, tmp_path):
    mask = mask_on(scan, np.s_[2, 3:9, 4:20], np.s_[3, 3:9, 4:20])
    mask.array[2, 5:7, 6:9] = 0

    path = write_rt_structures(mask, scan, tmp_path / "rt.dcm", drawn="manual")

    contours = contours_of(path)
    assert len(contours) == 3
    assert {item.ContourGeometricType for _, item in contours} == {"CLOSEDPLANAR_XOR"}
    np.testing.assert_array_equal(filled(path, scan), mask.array)


def test_pieces_beside_each_other_are_no_holes(scan, tmp_path):
    mask = mask_on(scan, np.s_[2, 3:6, 4:9], np.s_[2, 8:12, 4:9], np.s_[2, 12:14, 9:11])

    path = write_rt_structures(mask, scan, tmp_path / "rt.dcm", drawn="manual")

    contours = contours_of(path)
    assert len(contours) == 3  # the third touches the second at a corner alone
    assert {item.ContourGeometricType for _, item in contours} == {"CLOSED_PLANAR"}


def test_outline_has_no_points_on_straight_lines():
    inside = np.zeros((9, 9), bool)
    inside[2:7, 3:8] = True

    (line,) = outlines(inside)

    # A square whose corners are cut: two points at each.
    assert len(line) == 8
    assert not outlines(np.zeros((4, 4), bool))


# DICOM PS3.3, A.19.3: what the modules of the RT Structure Set IOD ask for.
TYPE_1 = {
    "": [
        *("StudyInstanceUID", "Modality", "SeriesInstanceUID", "StructureSetLabel"),
        *("SOPClassUID", "SOPInstanceUID", "StructureSetROISequence"),
        *("ROIContourSequence", "RTROIObservationsSequence", "FrameOfReferenceUID"),
        "ApprovalStatus",
    ],
    "StructureSetROISequence": ["ROINumber", "ReferencedFrameOfReferenceUID"],
    "ROIContourSequence": ["ReferencedROINumber", "ContourSequence"],
    "RTROIObservationsSequence": ["ObservationNumber", "ReferencedROINumber"],
    "ReferencedFrameOfReferenceSequence": [
        *("FrameOfReferenceUID", "RTReferencedStudySequence")
    ],
}
TYPE_2 = {
    "": [
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"),
        *("StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
        *("SeriesNumber", "OperatorsName", "Manufacturer", "StructureSetDate"),
        *("StructureSetTime", "PositionReferenceIndicator"),
    ],
    "StructureSetROISequence": ["ROIName", "ROIGenerationAlgorithm"],
    "RTROIObservationsSequence": ["RTROIInterpretedType", "ROIInterpreter"],
}


def test_what_the_standard_asks_for_is_there(scan, tmp_path):
    mask = mask_on(scan, np.s_[2, 3:9, 4:20])
    made = {"model": "microus-capsule", "model_version": "3", "review": {"edited": [2]}}

    path = write_rt_structures(mask, scan, tmp_path / "rt.dcm", provenance=made)

    rt = pydicom.dcmread(path)
    for stated, may_be_empty in ((TYPE_1, False), (TYPE_2, True)):
        for sequence, keywords in stated.items():
            for item in [rt] if not sequence else rt[sequence].value:
                for keyword in keywords:
                    assert keyword in item, keyword
                    assert may_be_empty or not item[keyword].is_empty, keyword
    (roi,) = rt.StructureSetROISequence
    assert roi.ROIGenerationAlgorithm == "SEMIAUTOMATIC"
    assert roi.ROIGenerationDescription == "microus-capsule 3"
    (observed,) = rt.RTROIObservationsSequence
    assert observed.RTROIIdentificationCodeSequence[0].CodeValue == "41216001"
    source = pydicom.dcmread(scan / "0.dcm")
    assert rt.FrameOfReferenceUID == source.FrameOfReferenceUID
    (study,) = rt.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    assert study.ReferencedSOPInstanceUID == source.StudyInstanceUID
    (named,) = study.RTReferencedSeriesSequence
    assert named.SeriesInstanceUID == source.SeriesInstanceUID
    assert len(named.ContourImageSequence) == 6
    pydicom.dataset.validate_file_meta(rt.file_meta, enforce_standard=True)


def test_contours_of_more_than_64_kib_are_whole(tmp_path):
    folder = tmp_path / "scan"
    series(folder, shape=(1, 120, 200))
    # A comb of 30 rough teeth, joined on the right.
    mask = mask_on(folder, np.s_[0, ::4], np.s_[0, 1::4, ::2], np.s_[0, :, 199])

    path = write_rt_structures(mask, folder, tmp_path / "rt.dcm", drawn="manual")

    ((_, item),) = contours_of(path)
    assert len("\\".join(map(str, item.ContourData))) > 64 << 10
    array = np.zeros((120, 200), bool)
    for points, _ in contours_of(path):
        at = np.stack([(3 - points[:, 2]) / 0.3, (points[:, 0] - 1) / 0.2], axis=1)
        array ^= polygon2mask((120, 200), at)
    np.testing.assert_array_equal(array, mask.array[0])


def test_deidentified_names_a_pseudonym_and_other_uids(scan, tmp_path):
    key = b"k" * 32
    mask = mask_on(scan, np.s_[2, 3:9, 4:20])
    out = tmp_path / "rt.dcm"

    write_rt_structures(mask, scan, out, drawn="manual", deidentified=True, key=key)

    rt, source = pydicom.dcmread(out), pydicom.dcmread(scan / "2.dcm")
    assert rt.PatientID == dicom_pseudonym(scan / "2.dcm", key)
    assert rt.FrameOfReferenceUID == pseudonym_uid(source.FrameOfReferenceUID, key)
    content = out.read_bytes()
    for keyword in (
        *("PatientID", "PatientName", "SOPInstanceUID", "SeriesInstanceUID"),
        *("StudyInstanceUID", "FrameOfReferenceUID"),
    ):
        assert str(source[keyword].value).encode() not in content, keyword


def cine(tmp_path, **elements):
    tissue = region((0, 19), (0, 29), cm=(0.03, 0.02))
    frames = np.zeros((6, 20, 30), np.uint8)
    return save(
        dataset(frames, regions=[tissue], **FULL, **elements), tmp_path / "c.dcm"
    )


def test_scans_without_a_place_in_the_patient_are_refused(scan, tmp_path):
    def refused(source, words):
        mask = mask_on(source, np.s_[2, 3:9, 4:20])
        with pytest.raises(InputError, match=f"at known places.*{words}.*instead"):
            write_rt_structures(mask, source, tmp_path / "rt.dcm", drawn="manual")
        assert not (tmp_path / "rt.dcm").exists()

    refused(cine(tmp_path), "no frame of reference")
    refused(cine(tmp_path, FrameOfReferenceUID="1.2.3"), "no frame of reference")
    properties = ScanProperties(
        sweep=Sweep("rotational", "columns", -9.5, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0))
    )
    write_scan_properties(scan, properties)
    refused(scan, "a rotational sweep")
    write_scan_properties(scan, ScanProperties(pixel_mm=(0.5, 0.5)))
    refused(scan, "scan properties that differ")
    angles = np.radians(np.arange(6))
    series(
        tmp_path / "fan",
        ImageOrientationPatient=tuple(
            [1, 0, 0, 0, np.cos(a), np.sin(a)] for a in angles
        ),
        ImagePositionPatient=tuple([0, 5 * np.cos(a), 5 * np.sin(a)] for a in angles),
    )
    refused(tmp_path / "fan", "frames that are turned")
    series(tmp_path / "one place", ImagePositionPatient=[1, 2, 3])
    refused(tmp_path / "one place", "frames whose distance is unknown")
    tissue = [region((0, 19), (0, 29), cm=(0.05, 0.05))]
    series(tmp_path / "two sizes", SequenceOfUltrasoundRegions=tissue)
    refused(tmp_path / "two sizes", "several pixel sizes")


def test_masks_that_do_not_fit_are_refused(scan, tmp_path):
    out = tmp_path / "rt.dcm"
    with pytest.raises(InputError, match="got an empty one"):
        write_rt_structures(mask_on(scan), scan, out, drawn="manual")
    mask = mask_on(scan, np.s_[2, 3:9, 4:20])
    with pytest.raises(InputError, match="must share a grid"):
        write_rt_structures(
            type(mask)(mask.array[1:], mask.affine), scan, out, drawn="manual"
        )
    with pytest.raises(InputError, match="must state who drew it"):
        write_rt_structures(mask, scan, out)
    with pytest.raises(OutputError, match="must not replace its scan"):
        write_rt_structures(mask, scan, scan / "2.dcm", drawn="manual", overwrite=True)
    assert not out.exists()
