"""A mask as a DICOM Segmentation, read back by pydicom, highdicom and ourselves."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import keyword_for_tag
from pydicom.sr.codedict import codes
from pydicom.uid import UltrasoundMultiFrameImageStorage, generate_uid
from skimage.color import rgb2lab

from dicom_files import FULL, dataset, region, save, series
from napari_microus.core import colors
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.export.dicom_seg import packed, write_dicom_seg
from napari_microus.core.io import (
    ScanProperties,
    dicom_pseudonym,
    pseudonym_uid,
    read_mask,
    read_provenance,
    read_volume,
    write_mask,
    write_scan_properties,
)
from napari_microus.core.io.dicom import read_dicom
from napari_microus.core.sweep import Sweep

RNG = np.random.default_rng(2)
MADE = {
    "task": "segment",
    "image": "cine.dcm",
    "model": "microus-capsule",
    "model_version": "3",
    "weights_sha256": "ab" * 32,
}
ROWS, COLUMNS = (5, 51), (10, 71)  # of the region below, one behind the last


@pytest.fixture
def cine(tmp_path):
    """A cine of 5 frames of 61 × 83 (no whole byte) whose tissue is 46 × 61."""
    frames = RNG.integers(0, 255, (5, 61, 83), np.uint8)
    tissue = region((5, 50), (10, 70), cm=(0.02, 0.03))
    ds = dataset(frames, regions=[tissue], SeriesNumber=7, **FULL)
    return save(ds, tmp_path / "cine.dcm")


def drawn_on(scan, **metadata):
    """A mask of noise, empty in its first and last frame where there are three."""
    array = RNG.integers(0, 2, scan.shape, np.uint8)
    if len(array) > 2:
        array[[0, -1]] = 0
    return scan.like(array, **metadata)


def test_mask_of_the_tissue_lies_at_its_place_in_the_whole_picture(cine, tmp_path):
    mask = drawn_on(read_volume(cine))

    path = write_dicom_seg(mask, cine, tmp_path / "out" / "s.dcm", provenance=MADE)

    expected = np.zeros((5, 61, 83), np.uint8)
    expected[:, slice(*ROWS), slice(*COLUMNS)] = mask.array
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, expected)
    source = pydicom.dcmread(cine)
    by_highdicom = hd.seg.segread(path).get_pixels_by_source_frame(
        source.SOPInstanceUID, [1, 2, 3, 4, 5]
    )
    np.testing.assert_array_equal(by_highdicom[..., 0], expected)


def test_read_back_it_lies_on_its_scan_without_the_scan(cine, tmp_path):
    scan = read_volume(cine)
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, cine, tmp_path / "s.dcm", provenance=MADE)

    again = read_mask(path)
    np.testing.assert_array_equal(again.array, mask.array)
    np.testing.assert_array_equal(again.affine, scan.affine)
    assert again.spacing_mm[1:] == pytest.approx((0.2, 0.3))
    assert not again.knows_frame_distance
    np.testing.assert_array_equal(read_mask(path, grid=scan).array, mask.array)
    whole = read_volume(cine, region="whole")
    np.testing.assert_array_equal(
        read_volume(path, region="whole").affine, whole.affine
    )


@pytest.mark.parametrize("suffix", [".nii.gz", ".seg.nrrd", ".mha"])
def test_mask_from_a_file_is_placed_by_its_geometry(cine, tmp_path, suffix):
    mask = drawn_on(read_volume(cine))
    write_mask(mask, tmp_path / f"m{suffix}")

    path = write_dicom_seg(
        read_mask(tmp_path / f"m{suffix}"), cine, tmp_path / "s.dcm", drawn="manual"
    )

    np.testing.assert_array_equal(read_mask(path).array, mask.array)


@pytest.mark.parametrize("choice", ["whole", "mask"])
def test_mask_drawn_on_the_whole_picture(cine, tmp_path, choice):
    mask = drawn_on(read_volume(cine, region=choice))

    path = write_dicom_seg(mask, cine, tmp_path / "s.dcm", drawn="manual")

    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, mask.array)
    # Drawn beside the tissue too, so that nothing is cut away.
    again = read_mask(path)
    np.testing.assert_array_equal(again.array, mask.array)
    assert "outside the region" in " ".join(again.metadata["notices"])


def test_each_of_several_regions_of_tissue_is_placed(tmp_path):
    frames = RNG.integers(0, 255, (2, 40, 60), np.uint8)
    both = [region((5, 24), (2, 21)), region((5, 24), (32, 51))]
    path = save(dataset(frames, regions=both), tmp_path / "cine.dcm")
    for number, left in ((0, 2), (1, 32)):
        mask = drawn_on(read_dicom(path, region=number))

        out = write_dicom_seg(mask, path, tmp_path / f"{number}.dcm", drawn="manual")

        pixels = pydicom.dcmread(out).pixel_array
        np.testing.assert_array_equal(pixels[:, 5:25, left : left + 20], mask.array)
        assert pixels.sum() == mask.array.sum()


def test_of_two_like_regions_the_mask_must_state_which(tmp_path):
    frames = RNG.integers(0, 255, (2, 40, 60), np.uint8)
    both = [region((5, 24), (2, 21)), region((5, 24), (32, 51))]
    path = save(dataset(frames, regions=both), tmp_path / "cine.dcm")
    mask = drawn_on(read_dicom(path, region=0))
    without_place = type(mask)(mask.array, has_geometry=False)

    with pytest.raises(InputError, match="fits 2 regions"):
        write_dicom_seg(without_place, path, tmp_path / "s.dcm", drawn="manual")


def test_every_frame_refers_to_the_frame_it_was_drawn_on(cine, tmp_path):
    path = write_dicom_seg(
        drawn_on(read_volume(cine)), cine, tmp_path / "s.dcm", provenance=MADE
    )

    seg, source = pydicom.dcmread(path), pydicom.dcmread(cine)
    (series_item,) = seg.ReferencedSeriesSequence
    (instance,) = series_item.ReferencedInstanceSequence
    assert series_item.SeriesInstanceUID == source.SeriesInstanceUID
    for k, group in enumerate(seg.PerFrameFunctionalGroupsSequence, start=1):
        (derived,) = group.DerivationImageSequence
        (image,) = derived.SourceImageSequence
        for item in (image, instance):
            assert item.ReferencedSOPClassUID == UltrasoundMultiFrameImageStorage
            assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert image.ReferencedFrameNumber == k
        assert image.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        assert derived.DerivationCodeSequence[0].CodeValue == "113076"
    # Without a frame of reference, no place in the patient is claimed (A.51.5).
    assert "FrameOfReferenceUID" not in seg
    assert "PixelMeasuresSequence" not in seg.SharedFunctionalGroupsSequence[0]


def test_a_volume_is_written_as_highdicom_does(tmp_path):
    """The second implementation, for the scans that it knows."""
    sources = series(tmp_path / "scan")
    mask = drawn_on(read_volume(tmp_path / "scan"))
    path = write_dicom_seg(mask, tmp_path / "scan", tmp_path / "s.dcm", drawn="manual")

    ours = pydicom.dcmread(path)
    described = hd.seg.SegmentDescription(
        1, "Prostate", codes.SCT.AnatomicalStructure, codes.SCT.Prostate, "MANUAL"
    )
    theirs = hd.seg.Segmentation(
        sources,
        mask.array,
        "BINARY",
        [described],
        *(generate_uid(), 1, generate_uid(), 1, "M", "M", "1", "1"),
        omit_empty_frames=False,
    )
    theirs.save_as(tmp_path / "theirs.dcm")
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    for keyword in (
        *("NumberOfFrames", "Rows", "Columns", "FrameOfReferenceUID", "PatientID"),
        *("SharedFunctionalGroupsSequence", "ReferencedSeriesSequence"),
        *("StudyInstanceUID", "PatientName"),
        *("BitsAllocated", "BitsStored", "HighBit", "SegmentsOverlap", "ImageType"),
    ):
        assert ours[keyword].value == theirs[keyword].value, keyword
    # It begins at the other end of the stack, and so counts its indices.
    one_way = ours.PerFrameFunctionalGroupsSequence
    other_way = theirs.PerFrameFunctionalGroupsSequence[::-1]
    for one, other in zip(one_way, other_way, strict=True):
        del one.FrameContentSequence, other.FrameContentSequence
        assert one == other
    reversed_ = pydicom.dcmread(path).pixel_array[::-1]
    np.testing.assert_array_equal(reversed_, theirs.pixel_array)
    for one, other in zip(
        ours.DimensionIndexSequence, theirs.DimensionIndexSequence, strict=True
    ):
        assert one.DimensionIndexPointer == other.DimensionIndexPointer
        assert one.FunctionalGroupPointer == other.FunctionalGroupPointer
    # Unlike the dimensions, the segment differs in what we add: a colour.
    del ours.SegmentSequence[0].RecommendedDisplayCIELabValue
    assert ours.SegmentSequence == theirs.SegmentSequence
    volume = hd.seg.segread(path).get_volume()
    assert volume.array.sum() == mask.array.sum()


def test_a_fan_has_an_orientation_a_frame(tmp_path):
    """highdicom knows one orientation alone for all frames."""
    angles = np.radians([-10, 0, 10])
    turned = tuple([1, 0, 0, 0, np.cos(a), np.sin(a)] for a in angles)
    where = tuple([0, 5 * np.cos(a), 5 * np.sin(a)] for a in angles)
    series(
        tmp_path / "scan",
        shape=(3, 20, 30),
        ImageOrientationPatient=turned,
        ImagePositionPatient=where,
    )
    scan = read_volume(tmp_path / "scan")
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, tmp_path / "scan", tmp_path / "s.dcm", drawn="manual")

    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    for group, six, three in zip(groups, turned, where, strict=True):
        stated = group.PlaneOrientationSequence[0].ImageOrientationPatient
        np.testing.assert_allclose(stated, six, atol=1e-9)
        stated = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(stated, three, atol=1e-9)
    again = read_mask(path, grid=scan)
    np.testing.assert_array_equal(again.array, mask.array)
    assert read_mask(path).shares_grid(scan)
    assert not again.knows_frame_distance


def test_single_frames_without_a_place_keep_their_order(tmp_path):
    """Numbered against their names: the order is that of the numbers."""
    series(tmp_path / "scan", shape=(3, 20, 30), InstanceNumber=(3, 2, 1))
    for path in (tmp_path / "scan").iterdir():
        ds = pydicom.dcmread(path)
        del ds.FrameOfReferenceUID, ds.ImagePositionPatient, ds.ImageOrientationPatient
        save(ds, path)
    scan = read_volume(tmp_path / "scan")
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, tmp_path / "scan", tmp_path / "s.dcm", drawn="manual")

    again = read_mask(path)
    np.testing.assert_array_equal(again.array, mask.array)
    assert again.shares_grid(scan)
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    named = [
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for group in groups
    ]
    files = [pydicom.dcmread(tmp_path / "scan" / f"{k}.dcm") for k in (2, 1, 0)]
    assert named == [ds.SOPInstanceUID for ds in files]


def test_positions_without_a_frame_of_reference_are_no_place(tmp_path):
    """A place needs a frame of reference; pixel by pixel the mask still fits."""
    series(tmp_path / "scan", shape=(3, 20, 30))
    for path in (tmp_path / "scan").iterdir():
        ds = pydicom.dcmread(path)
        del ds.FrameOfReferenceUID
        save(ds, path)
    scan = read_volume(tmp_path / "scan")
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, tmp_path / "scan", tmp_path / "s.dcm", drawn="manual")

    again = read_mask(path, grid=scan)
    np.testing.assert_array_equal(again.array, mask.array)
    assert again.shares_grid(scan)


@pytest.mark.parametrize("name", ["examples_ybr_color.dcm", "examples_palette.dcm"])
def test_real_ultrasound_of_pydicoms_package(tmp_path, name):
    found = get_testdata_file(name, download=False)
    if found is None:
        pytest.skip(f"{name} is not in the wheel")
    scan = read_volume(found)
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, found, tmp_path / "s.dcm", drawn="manual")

    again, source = read_mask(path), pydicom.dcmread(found)
    np.testing.assert_array_equal(again.array, mask.array)
    assert again.shares_grid(scan)
    assert again.has_geometry == scan.has_geometry
    seg = pydicom.dcmread(path)
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.PatientName == source.PatientName


# DICOM PS3.3, A.51.3: what the modules of the Segmentation IOD ask for.
TYPE_1 = {
    "": [
        *("StudyInstanceUID", "Modality", "SeriesInstanceUID", "SeriesNumber"),
        *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber"),
        *("SoftwareVersions", "InstanceNumber", "ImageType", "SamplesPerPixel"),
        *("PhotometricInterpretation", "Rows", "Columns", "BitsAllocated"),
        *("BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
        *("LossyImageCompression", "SegmentationType", "SegmentSequence"),
        *("ContentLabel", "SharedFunctionalGroupsSequence", "NumberOfFrames"),
        *("PerFrameFunctionalGroupsSequence", "ContentDate", "ContentTime"),
        *("DimensionOrganizationSequence", "DimensionIndexSequence"),
        *("ReferencedSeriesSequence", "SOPClassUID", "SOPInstanceUID"),
    ],
    "SegmentSequence": [
        *("SegmentNumber", "SegmentLabel", "SegmentAlgorithmType"),
        *("SegmentAlgorithmName", "SegmentedPropertyCategoryCodeSequence"),
        "SegmentedPropertyTypeCodeSequence",
    ],
    "DimensionIndexSequence": [
        *("DimensionIndexPointer", "DimensionOrganizationUID"),
        "FunctionalGroupPointer",
    ],
    "PerFrameFunctionalGroupsSequence": [
        "FrameContentSequence",
        "DerivationImageSequence",
    ],
    "ReferencedSeriesSequence": ["SeriesInstanceUID", "ReferencedInstanceSequence"],
}
TYPE_2 = [
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate"),
    *("StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber"),
    *("ContentDescription", "ContentCreatorName"),
]


@pytest.mark.parametrize("is_placed", [False, True])
def test_what_the_standard_asks_for_is_there(cine, tmp_path, is_placed):
    source = cine
    if is_placed:
        source = tmp_path / "scan"
        series(source)
    mask = drawn_on(read_volume(source))

    path = write_dicom_seg(
        mask, source, tmp_path / "s.dcm", provenance=MADE | {"image": ""}
    )

    seg = pydicom.dcmread(path)
    for sequence, keywords in TYPE_1.items():
        for item in [seg] if not sequence else seg[sequence].value:
            for keyword in keywords:
                assert keyword in item, keyword
                assert not item[keyword].is_empty, keyword
    assert not [keyword for keyword in TYPE_2 if keyword not in seg]
    assert (seg.BitsAllocated, seg.BitsStored, seg.HighBit) == (1, 1, 0)
    assert (seg.Modality, seg.SegmentationType) == ("SEG", "BINARY")
    # Every frame states as many indices as there are dimensions, from 1, each its own.
    indices = [
        tuple(group.FrameContentSequence[0].DimensionIndexValues)
        for group in seg.PerFrameFunctionalGroupsSequence
    ]
    assert indices == [(1, k) for k in range(1, seg.NumberOfFrames + 1)]
    for item in seg.DimensionIndexSequence:
        group = seg.PerFrameFunctionalGroupsSequence[0]
        holder = keyword_for_tag(item.FunctionalGroupPointer)
        shared = seg.SharedFunctionalGroupsSequence[0]
        (stated,) = (group if holder in group else shared)[holder].value
        assert keyword_for_tag(item.DimensionIndexPointer) in stated
    pydicom.dataset.validate_file_meta(seg.file_meta, enforce_standard=True)


def test_the_prostate_is_coded(cine, tmp_path):
    path = write_dicom_seg(
        drawn_on(read_volume(cine)), cine, tmp_path / "s.dcm", provenance=MADE
    )

    segment = hd.seg.segread(path).get_segment_description(1)
    assert segment.segmented_property_type == codes.SCT.Prostate
    assert segment.segmented_property_category == codes.SCT.AnatomicalStructure
    (stated,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (stated.AlgorithmName, stated.AlgorithmVersion) == ("microus-capsule", "3")
    assert stated.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert "ab" * 32 in stated.AlgorithmParameters
    # L* of 0 to 100 and a*, b* of -128 to 127 on 16 bits each (C.10.7.1.1).
    light, a, b = np.array(segment.RecommendedDisplayCIELabValue) / 65535
    colour = [int(colors.CAPSULE[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    expected = rgb2lab(np.array([[colour]]))[0, 0]
    shown = (light * 100, a * 255 - 128, b * 255 - 128)
    np.testing.assert_allclose(shown, expected, atol=0.02)


@pytest.mark.parametrize(
    ("provenance", "drawn", "expected"),
    [
        (MADE, None, "AUTOMATIC"),
        (MADE | {"review": {"edited": [], "approved": [1]}}, None, "AUTOMATIC"),
        (MADE | {"review": {"edited": [2]}}, None, "SEMIAUTOMATIC"),
        (MADE | {"mended": [{"tool": "fill"}]}, None, "SEMIAUTOMATIC"),
        ({"task": "segment"}, None, "MANUAL"),
        (None, "manual", "MANUAL"),
        (MADE, "manual", "MANUAL"),
        (MADE, "semiautomatic", "SEMIAUTOMATIC"),
    ],
)
def test_who_drew_it_is_reported(cine, tmp_path, provenance, drawn, expected):
    mask = drawn_on(read_volume(cine))

    path = write_dicom_seg(
        mask, cine, tmp_path / "s.dcm", provenance=provenance, drawn=drawn
    )

    (segment,) = pydicom.dcmread(path).SegmentSequence
    assert segment.SegmentAlgorithmType == expected
    assert ("SegmentAlgorithmName" in segment) == (expected != "MANUAL")


@pytest.mark.parametrize("how", ["automatic", "semiautomatic", "manual"])
def test_who_drew_it_is_known_when_it_is_opened_again(cine, tmp_path, how):
    mask = drawn_on(read_volume(cine))
    made = {"provenance": MADE, "drawn": how}
    first = write_dicom_seg(mask, cine, tmp_path / "s.dcm", **made)

    again = read_provenance(first)

    named = {key: again[key] for key in ("model", "weights_sha256") if key in again}
    expected = {key: MADE[key] for key in ("model", "weights_sha256")}
    assert named == ({} if how == "manual" else expected)
    second = write_dicom_seg(mask, cine, tmp_path / "t.dcm", provenance=again)
    (segment,) = pydicom.dcmread(second).SegmentSequence
    assert segment.SegmentAlgorithmType == how.upper()
    assert not read_provenance(cine)


@pytest.mark.parametrize(
    ("provenance", "drawn", "words"),
    [
        (None, None, "must state who drew it"),
        (None, "automatic", "must name its model"),
        (MADE, "by a robot", "got 'by a robot'"),
    ],
)
def test_nobody_knows_who_drew_it(cine, tmp_path, provenance, drawn, words):
    mask = drawn_on(read_volume(cine))
    with pytest.raises(InputError, match=words):
        write_dicom_seg(
            mask, cine, tmp_path / "s.dcm", provenance=provenance, drawn=drawn
        )


def test_patient_and_study_are_the_scans_in_any_script(tmp_path):
    frames = RNG.integers(0, 255, (2, 20, 30), np.uint8)
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    ds = dataset(frames, **FULL, SpecificCharacterSet="ISO_IR 192")
    ds.PatientName, ds.StudyDate, ds.StudyDescription = name, "20200102", "Ä"
    ds.OtherPatientIDsSequence = [pydicom.Dataset()]
    ds.OtherPatientIDsSequence[0].PatientID = "X-2"
    ds.OtherPatientIDsSequence[0].TypeOfPatientID = "TEXT"
    ds.private_block(0x0011, "VENDOR", create=True).add_new(1, "LO", "secret")
    cine = save(ds, tmp_path / "cine.dcm")
    before = cine.read_bytes()

    path = write_dicom_seg(
        drawn_on(read_volume(cine)), cine, tmp_path / "s.dcm", drawn="manual"
    )

    seg = pydicom.dcmread(path)
    assert seg.PatientName == name
    assert (seg.PatientID, seg.PatientSex) == ("P-1", "M")
    assert (seg.StudyDate, seg.StudyDescription) == ("20200102", "Ä")
    assert seg.StudyInstanceUID == ds.StudyInstanceUID
    assert seg.SeriesInstanceUID != ds.SeriesInstanceUID
    assert seg.OtherPatientIDsSequence[0].PatientID == "X-2"
    assert b"secret" not in path.read_bytes()
    assert cine.read_bytes() == before


def test_names_in_latin_letters_are_reported_in_utf8(tmp_path):
    frames = RNG.integers(0, 255, (2, 20, 30), np.uint8)
    ds = dataset(frames, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jürg")
    cine = save(ds, tmp_path / "cine.dcm")
    assert "Müller".encode("latin-1") in cine.read_bytes()

    path = write_dicom_seg(
        drawn_on(read_volume(cine)), cine, tmp_path / "s.dcm", drawn="manual"
    )

    assert pydicom.dcmread(path).PatientName == "Müller^Jürg"
    assert "Müller".encode() in path.read_bytes()


def test_deidentified_results_of_one_study_belong_together(cine, tmp_path):
    key = b"k" * 32
    source = pydicom.dcmread(cine)
    mask = drawn_on(read_volume(cine))
    made = {"provenance": MADE, "deidentified": True}

    first, second, other = (
        pydicom.dcmread(
            write_dicom_seg(mask, cine, tmp_path / f"{n}.dcm", key=secret, **made)
        )
        for n, secret in enumerate((key, key, b"o" * 32))
    )

    assert first.PatientID == first.PatientName == dicom_pseudonym(cine, key)
    assert first.PatientIdentityRemoved == "YES"
    assert first.StudyInstanceUID == second.StudyInstanceUID
    assert first.StudyInstanceUID == pseudonym_uid(source.StudyInstanceUID, key)
    assert first.StudyInstanceUID.is_valid
    assert first.StudyInstanceUID != other.StudyInstanceUID
    assert first.PatientID != other.PatientID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    group = first.PerFrameFunctionalGroupsSequence[0]
    image = group.DerivationImageSequence[0].SourceImageSequence[0]
    assert image.ReferencedSOPInstanceUID == pseudonym_uid(source.SOPInstanceUID, key)
    again = read_mask(tmp_path / "0.dcm", grid=read_volume(cine))
    np.testing.assert_array_equal(again.array, mask.array)


def test_what_a_person_stated_of_the_scan_holds_for_the_result(cine, tmp_path):
    angles = (-20.0, -10.0, 0.0, 10.0, 20.0)
    sweep = Sweep("rotational", "columns", -9.5, angles)
    write_scan_properties(cine, ScanProperties(pixel_mm=(0.05, 0.04), sweep=sweep))
    scan = read_volume(cine)
    mask = drawn_on(scan)

    path = write_dicom_seg(mask, cine, tmp_path / "out" / "s.dcm", provenance=MADE)

    again = read_mask(path)
    np.testing.assert_array_equal(again.array, mask.array)
    assert again.shares_grid(scan)
    assert again.metadata["sweep"] == scan.metadata["sweep"]
    # A mask that was drawn before, on another size, is of another grid.
    write_scan_properties(cine, ScanProperties())
    with pytest.raises(InputError, match="must share a grid"):
        write_dicom_seg(mask, cine, tmp_path / "t.dcm", provenance=MADE)
    new = drawn_on(read_volume(cine))
    write_dicom_seg(new, cine, path, provenance=MADE, overwrite=True)
    assert read_mask(path).shares_grid(read_volume(cine))


def altered(mask, what):
    array = mask.array.copy()
    if what == "another size":
        return type(mask)(array[:, 1:], mask.affine)
    if what == "fewer frames":
        return type(mask)(array[1:], mask.affine)
    if what == "shifted":
        affine = mask.affine.copy()
        affine[0, 3] += 0.5
        return type(mask)(array, affine)
    array[:] = 0
    if what == "undecided":
        array[1, 3, 4:9], array[1, 5, 4:9] = 1, 255
    return mask.like(array)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("another size", r"must share a grid; got \(5, 45, 61\)"),
        ("fewer frames", r"must share a grid; got \(4, 46, 61\)"),
        ("shifted", "must share a grid; .*centres 0.5 mm apart"),
        ("empty", "got an empty one"),
        ("undecided", "got 5 undecided pixels"),
    ],
)
def test_masks_that_do_not_fit_are_refused(cine, tmp_path, what, words):
    mask = altered(drawn_on(read_volume(cine)), what)
    with pytest.raises(InputError, match=words):
        write_dicom_seg(mask, cine, tmp_path / "out" / "s.dcm", drawn="manual")
    assert not (tmp_path / "out").exists()


def test_scans_that_cannot_be_referred_to_are_refused(cine, tmp_path):
    mask = drawn_on(read_volume(cine))

    def refused(source, words, **options):
        with pytest.raises(InputError, match=words):
            write_dicom_seg(
                mask,
                source,
                tmp_path / "out" / "s.dcm",
                **{"drawn": "manual"} | options,
            )

    write_mask(mask, tmp_path / "scan.nii.gz")
    refused(tmp_path / "scan.nii.gz", "must refer to the DICOM of its scan")
    (tmp_path / "p.png").write_bytes(b"\x89PNG")
    refused(tmp_path / "p.png", "got p.png, which is none")
    refused(tmp_path / "gone.dcm", "must still be there.*gone.dcm, which is missing")
    seg = write_dicom_seg(mask, cine, tmp_path / "seg" / "s.dcm", drawn="manual")
    refused(seg, "must refer to the scan; got a DICOM Segmentation")
    other = save(dataset(RNG.integers(0, 9, (5, 61, 83), np.uint8)), tmp_path / "o.dcm")
    refused(other, "names cine.dcm, got o.dcm", drawn=None, provenance=MADE)
    report = dataset(RNG.integers(0, 9, (5, 6), np.uint8))
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    refused(save(report, tmp_path / "r.dcm"), "a structured report, no image")
    nameless = pydicom.dcmread(cine)
    del nameless.StudyInstanceUID
    refused(save(nameless, tmp_path / "n.dcm"), "none for StudyInstanceUID in n.dcm")


def test_a_renamed_scan_must_be_said_to_be(cine, tmp_path):
    mask = drawn_on(read_volume(cine))
    renamed = cine.rename(tmp_path / "case-7.dcm")

    with pytest.raises(InputError, match=r"names cine\.dcm, got case-7\.dcm"):
        write_dicom_seg(mask, renamed, tmp_path / "s.dcm", provenance=MADE)
    write_dicom_seg(mask, renamed, tmp_path / "s.dcm", provenance=MADE, renamed=True)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("PatientID", "must be of one patient; got 2"),
        ("StudyInstanceUID", "must be of one study; got 2"),
        ("SeriesInstanceUID", "must be of one series; got 2"),
    ],
)
def test_files_of_several_are_refused(tmp_path, keyword, words):
    series(tmp_path / "scan", shape=(2, 20, 30), **{keyword: ("1.2.3", "1.2.4")})
    files = sorted((tmp_path / "scan").iterdir())
    mask = drawn_on(read_dicom(files))

    with pytest.raises(InputError, match=words) as raised:
        write_dicom_seg(mask, files, tmp_path / "s.dcm", drawn="manual")
    assert "1.2.3" not in str(raised.value)


def test_outputs_that_cannot_be_written_are_refused(cine, tmp_path):
    mask = drawn_on(read_volume(cine))

    def refused(output, words, **options):
        with pytest.raises(OutputError, match=words):
            write_dicom_seg(mask, cine, output, drawn="manual", **options)

    before = cine.read_bytes()
    refused(tmp_path / "s.dicom", r"must end in \.dcm")
    refused(cine, "already exists")
    refused(cine, "must not replace its scan", overwrite=True)
    assert cine.read_bytes() == before
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "s.dcm", "Cannot write to")
    out = write_dicom_seg(mask, cine, tmp_path / "s.dcm", drawn="manual")
    refused(out, "already exists")
    write_dicom_seg(mask, cine, out, drawn="manual", overwrite=True)


def test_headers_with_values_of_the_wrong_kind_are_taken_over(tmp_path):
    """pydicom refuses such values when they are set; machines write them."""
    frames = RNG.integers(0, 255, (2, 20, 30), np.uint8)
    ds = dataset(
        frames, PatientBirthDate="19991231", StudyTime="120000", PatientAge="060Y"
    )
    cine = save(ds, tmp_path / "cine.dcm")
    content = cine.read_bytes()
    for good, bad in (
        (b"19991231", b"31.12.99"),
        (b"120000", b"12:00h"),
        (b"060Y", b"60 y"),
    ):
        assert content.count(good) == 1
        content = content.replace(good, bad)
    cine.write_bytes(content)

    path = write_dicom_seg(
        drawn_on(read_volume(cine)), cine, tmp_path / "s.dcm", drawn="manual"
    )

    for bad in (b"31.12.99", b"12:00h", b"60 y"):
        assert bad in path.read_bytes()


def test_bits_lie_without_gaps_the_first_lowest():
    """PS3.5, annex D: two frames of 2 × 5 pixels, 20 bits in 3 bytes and a pad."""
    frames = np.zeros((2, 2, 5), bool)
    frames[0, 0, 0] = True  # bit 0
    frames[0, 1, 4] = True  # bit 9
    frames[1, 0, 0] = True  # bit 10
    frames[1, 1, 4] = True  # bit 19

    assert packed(iter(frames)) == bytes([0b1, 0b110, 0b1000, 0])
