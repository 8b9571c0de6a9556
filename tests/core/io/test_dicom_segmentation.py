"""DICOM Segmentations of others, written by highdicom, on the grid of their scan."""

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from dicom_files import FULL, dataset, region, save, series
from napari_microus.core.errors import InputError
from napari_microus.core.io import read_mask, read_volume

SHAPE = (6, 20, 30)


def segmentation(sources, array, path, *names, kind="BINARY", **options):
    described = [
        hd.seg.SegmentDescription(
            number, name, codes.SCT.AnatomicalStructure, codes.SCT.Prostate, "MANUAL"
        )
        for number, name in enumerate(names or ("Prostate",), start=1)
    ]
    words = ("Maker", "Model", "1", "Serial")
    uids = (generate_uid(), 1, generate_uid(), 1)
    made = hd.seg.Segmentation(
        sources, array, kind, described, *uids, *words, **options
    )
    made.save_as(path)
    return path


@pytest.fixture
def scan(tmp_path):
    return series(tmp_path / "scan"), read_volume(tmp_path / "scan")


def drawn():
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 3:9, 4:20] = 1
    mask[4, 5:9, 4:10] = 1
    return mask


def in_order_of_places(sources, array):
    """Bring an array in the order of the files into that of the scan's places."""
    order = np.argsort([float(ds.ImagePositionPatient[1]) for ds in sources])
    return array[order]


@pytest.mark.parametrize("omit", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_mask_lies_on_its_scan_whatever_was_left_out(tmp_path, scan, omit, order):
    sources, volume = scan
    given = sources[::order]
    path = segmentation(given, drawn(), tmp_path / "s.dcm", omit_empty_frames=omit)

    mask = read_mask(path, grid=volume)

    np.testing.assert_array_equal(mask.array, in_order_of_places(given, drawn()))
    assert mask.shares_grid(volume)


def test_left_out_frames_between_others_are_empty_without_the_scan(tmp_path, scan):
    sources, volume = scan
    path = segmentation(sources, drawn(), tmp_path / "s.dcm")

    alone = read_volume(path)

    assert alone.shape == (3, 20, 30)  # frames 2 to 4
    assert [int(frame.sum()) for frame in alone.array] == [96, 0, 24]
    # In RAS the third frame lies 2 · 0.7 mm behind the first: y = -2 - 1.4.
    np.testing.assert_allclose(alone.affine[:3, 3], [-1, -3.4, 3])
    assert alone.metadata["labels"] == {1: "Prostate"}
    assert alone.is_oriented
    assert volume.knows_frame_distance
    assert alone.knows_frame_distance


def test_several_segments_are_chosen_by_number_or_name(tmp_path, scan):
    sources, volume = scan
    array = drawn()
    array[4] *= 2
    path = segmentation(sources, array, tmp_path / "s.dcm", "Prostate", "Lesion")

    for label in (2, "2", "lesion"):
        mask = read_mask(path, label=label, grid=volume)
        np.testing.assert_array_equal(mask.array, array == 2)
    with pytest.raises(InputError, match=r"got labels 1 \(Prostate\), 2 \(Lesion\)"):
        read_mask(path)
    with pytest.raises(InputError, match=r"got 3, .* holds 1 \(Prostate\), 2"):
        read_mask(path, label=3)
    with pytest.raises(InputError, match="got Bladder"):
        read_mask(path, label="Bladder")


def test_segments_that_overlap_are_reported_and_read_whole_one_by_one(tmp_path, scan):
    sources, volume = scan
    array = np.stack([drawn(), drawn()], axis=-1)
    array[2, 3:5, :, 1] = 0  # the second lacks two rows of 16 pixels
    path = segmentation(sources, array, tmp_path / "s.dcm", "A", "B")

    both = read_volume(path)

    # Frame 2 has 96 pixels in A and 64 in B, frame 4 has 24 in both.
    assert "overlap in 88 pixels" in " ".join(both.metadata["notices"])
    for number, name in enumerate("AB"):
        mask = read_mask(path, label=name, grid=volume)
        np.testing.assert_array_equal(mask.array, array[..., number])


def test_a_segment_without_pixels_is_an_empty_mask(tmp_path, scan):
    sources, volume = scan
    path = segmentation(sources, drawn(), tmp_path / "s.dcm", "A", "B")

    assert not read_mask(path, label="B", grid=volume).array.any()


def test_a_map_of_labels_is_read(tmp_path, scan):
    sources, volume = scan
    array = drawn()
    array[4] *= 2
    made = {"kind": "LABELMAP", "omit_empty_frames": False}
    path = segmentation(sources, array, tmp_path / "s.dcm", "A", "B", **made)

    np.testing.assert_array_equal(read_volume(path).array, array)
    np.testing.assert_array_equal(read_mask(path, label="B").array, array == 2)
    assert read_volume(path).shares_grid(volume)


def test_fractions_are_probabilities_and_no_mask(tmp_path, scan):
    sources, _ = scan
    array = drawn() * np.float32(0.6)
    made = {"kind": "FRACTIONAL", "omit_empty_frames": False}
    path = segmentation(sources, array, tmp_path / "s.dcm", **made)

    volume = read_volume(path)

    np.testing.assert_allclose(volume.array, array, atol=0.5 / 255)
    with pytest.raises(InputError, match="threshold"):
        read_mask(path)


def test_fractions_in_name_alone_are_a_mask(tmp_path, scan):
    sources, _ = scan
    made = {"kind": "FRACTIONAL", "omit_empty_frames": False}
    path = segmentation(sources, drawn(), tmp_path / "s.dcm", **made)

    np.testing.assert_array_equal(read_mask(path).array, drawn())


def test_whole_pictures_are_cut_to_the_tissue_of_the_scan(tmp_path):
    """Another program knows nothing of regions; ours cuts the scan to its tissue."""
    frame = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    ds = dataset(frame, regions=[region((5, 14), (6, 25))], **FULL)
    del ds.file_meta  # highdicom takes its own
    array = np.zeros((1, 20, 30), np.uint8)
    array[0, 7:10, 8:20] = 1
    path = segmentation([ds], array, tmp_path / "s.dcm")
    ds.file_meta = dataset(frame).file_meta
    volume = read_volume(save(ds, tmp_path / "scan.dcm"))

    mask = read_mask(path, grid=volume)

    np.testing.assert_array_equal(mask.array, array[:, 5:15, 6:26])
    array[0, 0, 0] = 1
    outside = segmentation([ds], array, tmp_path / "outside.dcm")
    with pytest.raises(InputError, match="got 1 pixels outside"):
        read_mask(outside, grid=volume)


def test_frames_of_bits_that_do_not_fill_bytes(tmp_path):
    """27 pixels a frame: the second frame begins inside a byte."""
    sources = series(tmp_path / "scan", shape=(5, 3, 9))
    array = np.random.default_rng(1).integers(0, 2, (5, 3, 9), np.uint8)
    path = segmentation(sources, array, tmp_path / "s.dcm", omit_empty_frames=False)

    np.testing.assert_array_equal(read_mask(path).array, array)


def test_a_segmentation_beside_its_scan_does_not_hide_it(tmp_path, scan):
    sources, volume = scan
    segmentation(sources, drawn(), tmp_path / "scan" / "s.dcm")

    again = read_volume(tmp_path / "scan")

    np.testing.assert_array_equal(again.array, volume.array)
    assert "1 segmentation was left out" in " ".join(again.metadata["notices"])


def test_grid_of_another_scan_is_refused(tmp_path, scan):
    sources, _ = scan
    path = segmentation(sources, drawn(), tmp_path / "s.dcm")
    series(tmp_path / "other", step_mm=0.8)

    with pytest.raises(InputError, match="must share a grid"):
        read_mask(path, grid=read_volume(tmp_path / "other"))


@pytest.mark.parametrize("kind", ["no segment", "cut short", "frame 70000", "frame 0"])
def test_damage_is_reported(tmp_path, scan, kind):
    sources, _ = scan
    path = segmentation(sources, drawn(), tmp_path / "s.dcm")
    ds = pydicom.dcmread(path)
    if kind == "no segment":
        ds.SegmentSequence = []
    elif kind == "cut short":
        ds.PixelData = ds.PixelData[:20]
    else:
        del ds.FrameOfReferenceUID
        for group in ds.PerFrameFunctionalGroupsSequence:
            image = group.DerivationImageSequence[0].SourceImageSequence[0]
            image.ReferencedFrameNumber = int(kind.split()[1])
            image.ReferencedSOPInstanceUID = "1.2.3"
    ds.save_as(path)

    with pytest.raises(InputError, match=r"must be complete .* Copy or export it"):
        read_volume(path)


def test_what_was_drawn_beside_the_tissue_is_counted_and_kept(tmp_path):
    frame = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    ds = dataset(frame, regions=[region((5, 34), (10, 44))], **FULL)
    del ds.file_meta  # highdicom takes its own
    drawn = np.zeros((1, 40, 50), np.uint8)
    drawn[0, 20:25, 20:25] = 1
    drawn[0, 1, 2:5] = 1  # above and left of the tissue
    path = segmentation([ds], drawn, tmp_path / "s.dcm")
    stored = pydicom.dcmread(path)
    stored.SequenceOfUltrasoundRegions = [region((5, 34), (10, 44))]
    found = read_volume(save(stored, path))
    notices = " ".join(found.metadata["notices"])
    assert "3 pixels were drawn outside the region of tissue" in notices
    assert int((found.array != 0).sum()) == int(drawn.sum())
