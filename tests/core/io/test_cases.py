"""Small inputs that went wrong in some tool; the right answers are of other libraries.

Every scan has 4 frames of 40 × 50 pixels and voxels of 0.5 × 0.04 × 0.05 mm, every
object is an ellipse of 331 pixels in a frame. See tests/data/cases.
"""

import gzip
import shutil
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_mask, read_volume, write_mask
from napari_microus.core.volume import Volume

CASES = Path(__file__).parents[2] / "data" / "cases"
SIZE = (0.5, 0.04, 0.05)


def ellipse():
    return read_mask(CASES / "05_mask_tiff_colour" / "true.png").array[0]


# --- damage ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("07_damaged/bad_crc.nii.gz", "damaged"),
        ("02_ome_missing/a.ome.tif", "b.ome.tif"),
        ("01_tiff_series/preview_then_stack.tif", "got 2 .*YX 20 × 25"),
        ("01_tiff_series/two_sizes.tif", "got 2 .*2 × 40 × 44"),
        ("01_tiff_series/mixed_depth.tif", "got 2 .*uint16"),
        ("03_channels/composite_imagej.tif", "got 2 channels"),
        ("17_mixed_depth", r"uint8 in f1\.png and uint16 in f4\.png"),
    ],
)
def test_is_refused_with_what_is_wrong(file, words):
    with pytest.raises(InputError, match=words):
        read_volume(CASES / file)


def test_a_person_reads_which_file_is_missing():
    with pytest.raises(InputError) as caught:
        read_volume(CASES / "02_ome_missing" / "a.ome.tif")

    assert caught.value.plain == (
        "a.ome.tif belongs together with b.ome.tif, which is not there. Copy both "
        "into one folder."
    )


def test_undamaged_twin_is_read():
    volume = read_volume(CASES / "07_damaged" / "good.nii.gz")
    stored = nib.load(CASES / "07_damaged" / "good.nii.gz").get_fdata()
    np.testing.assert_array_equal(volume.array, stored.transpose(2, 1, 0))


def test_gzip_with_a_wrong_length_or_something_behind_it_is_refused(tmp_path):
    good = (CASES / "07_damaged" / "good.nii.gz").read_bytes()
    for name, data in (
        ("length", good[:-4] + struct.pack("<I", 7)),
        ("behind", good + b"something else"),
        ("cut", good[:-3]),
    ):
        (tmp_path / f"{name}.nii.gz").write_bytes(data)
        with pytest.raises(InputError, match="damaged"):
            read_volume(tmp_path / f"{name}.nii.gz")


def test_packed_file_is_known_by_its_content_not_by_its_name(tmp_path):
    good = CASES / "07_damaged" / "good.nii.gz"
    shutil.copy(good, tmp_path / "packed.nii")
    (tmp_path / "plain.nii.gz").write_bytes(gzip.decompress(good.read_bytes()))
    for name in ("packed.nii", "plain.nii.gz"):
        found = read_volume(tmp_path / name)
        np.testing.assert_array_equal(found.array, read_volume(good).array)


def test_detached_packed_data_are_inflated_to_their_end(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 255, (4, 40, 50)).astype(np.uint8)
    packed = bytearray(gzip.compress(pixels.tobytes()))
    header = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 50 40 4\nencoding: gzip\n"
    (tmp_path / "a.nhdr").write_bytes(header + b"data file: a.raw.gz\n\n")
    (tmp_path / "a.raw.gz").write_bytes(bytes(packed))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nhdr").array, pixels)
    packed[-6] ^= 1  # the checksum
    (tmp_path / "a.raw.gz").write_bytes(bytes(packed))
    with pytest.raises(InputError, match="NRRD"):
        read_volume(tmp_path / "a.nhdr")


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_changed_byte_in_a_packed_stream_is_refused(tmp_path, suffix):
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.integers(0, 9, (4, 40, 50)).astype(np.uint8))
    image.SetSpacing((0.05, 0.04, 0.5))
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(image, str(path), useCompression=True)
    whole = path.read_bytes()
    np.testing.assert_array_equal(
        read_volume(path).array, sitk.GetArrayFromImage(image)
    )
    for place in range(len(whole) - 10, len(whole) - 1400, -97):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        path.write_bytes(bytes(changed))
        with pytest.raises(InputError, match="damaged"):
            read_volume(path)


def test_packed_stream_that_is_too_short_is_refused(tmp_path):
    header = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 50 40 4\nencoding: gzip\n\n"
    path = tmp_path / "short.nrrd"
    path.write_bytes(header + gzip.compress(bytes(50 * 40 * 3)))
    with pytest.raises(InputError, match="NRRD"):
        read_volume(path)


def test_png_with_a_wrong_checksum_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(2000, dtype=np.uint8).reshape(40, 50)).save(path)
    data = bytearray(path.read_bytes())
    place = data.index(b"IDAT") + 20
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        read_volume(path)


# --- axes ------------------------------------------------------------------------
def test_red_green_and_blue_as_channels_are_one_colour_frame():
    path = CASES / "03_channels" / "rgb_as_channels.ome.tif"
    rgb = tifffile.imread(path).astype(float)
    volume = read_volume(path)
    assert volume.shape == (1, 40, 50)
    expected = np.rint(np.tensordot([0.299, 0.587, 0.114], rgb, axes=1))
    np.testing.assert_array_equal(volume.array[0], expected)


def test_named_channels_are_refused_by_their_names(tmp_path):
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path,
        np.zeros((3, 40, 50), np.uint8),
        metadata={"axes": "CYX", "Channel": {"Name": ["scan", "mask", "doubt"]}},
    )
    with pytest.raises(InputError, match=r"3 channels \(scan, mask, doubt\)"):
        read_volume(path)


def test_times_and_frames_in_one_file_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    stack = np.zeros((2, 4, 40, 50), np.uint8)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="one stack of frames; got axes TZ"):
        read_volume(path)


@pytest.mark.parametrize(
    ("file", "count"),
    [("seq3.seq.nrrd", 3), ("seq4.seq.nrrd", 4), ("seq_last.nrrd", 4)],
)
def test_list_axis_of_an_nrrd_holds_frames(file, count):
    path = CASES / "14_nrrd" / file
    raw = path.read_bytes().split(b"\n\n", 1)[1]
    stored = np.frombuffer(raw, np.uint8)
    first = file.startswith("seq_")
    frames = (
        stored.reshape(count, 40, 50)
        if first
        else np.moveaxis(stored.reshape(40, 50, count), -1, 0)
    )
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, frames)
    assert volume.spacing_mm[1:] == pytest.approx(SIZE[1:])
    assert "distance of the frames" in volume.metadata["notices"][0]


def test_masks_beside_their_frames_are_left_out_and_reported():
    volume = read_volume(CASES / "19_masks_beside_frames")
    assert volume.shape == (4, 40, 50)
    assert "4 files that are named as masks" in volume.metadata["notices"][0]


@pytest.mark.parametrize("name", ["mask_a.png", "a-seg.png", "a_gt_mask.png"])
def test_mask_is_known_by_the_name_of_its_frame(tmp_path, name):
    frame = Image.fromarray(np.zeros((4, 5), np.uint8))
    for file in ("a.png", "b.png", name):
        frame.save(tmp_path / file)
    assert read_volume(tmp_path).shape == (2, 4, 5)


def test_folder_of_masks_alone_is_read_whole(tmp_path):
    for number in range(3):
        picture = Image.fromarray(np.full((4, 5), number, np.uint8))
        picture.save(tmp_path / f"{number}_mask.png")
    assert read_volume(tmp_path).array[:, 0, 0].tolist() == [0, 1, 2]


def test_one_frame_in_two_formats_is_refused(tmp_path):
    picture = Image.fromarray(np.zeros((4, 5), np.uint8))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match=r"a\.bmp and a\.png"):
        read_volume(tmp_path)


# --- masks -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "file",
    [
        "05_mask_tiff_colour/invlut_imagej8.tif",
        "05_mask_tiff_colour/one_bit_white0.tif",
        "05_mask_tiff_colour/lut_white_bg.tif",
        "06_mask_alpha/black_on_transparent.png",
        "06_mask_alpha/la.png",
        "06_mask_alpha/white_on_transparent.png",
        "06_mask_alpha/white_on_transparent.tif",
    ],
)
def test_mask_is_what_is_stored(file):
    np.testing.assert_array_equal(read_mask(CASES / file).array[0], ellipse())


def test_labels_of_one_colour_are_two_labels():
    path = CASES / "05_mask_tiff_colour" / "lut_two_labels_same_grey.tif"
    with pytest.raises(InputError, match="labels 1, 2"):
        read_mask(path)
    assert [int(read_mask(path, label=k).array.sum()) for k in (1, 2)] == [209, 122]


def test_alpha_that_contradicts_the_colours_is_refused(tmp_path):
    pixels = np.zeros((4, 5, 2), np.uint8)
    pixels[0, :, 0], pixels[1, :, 1] = 255, 255
    Image.fromarray(pixels, "LA").save(tmp_path / "a.png")
    with pytest.raises(InputError, match="by colours or by transparency"):
        read_mask(tmp_path / "a.png")


def test_header_that_scales_a_mask_changes_no_label():
    mask = read_mask(CASES / "12_mask_slope" / "float_saved_as_uint8.nii.gz")
    assert int((mask.array == 1).sum()) == 1324
    assert set(np.unique(mask.array)) == {0, 1}


def test_scaled_scan_keeps_its_intensities(tmp_path):
    image = nib.Nifti1Image(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(2, 5)
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "a.nii")
    expected = nib.load(tmp_path / "a.nii").get_fdata().transpose(2, 1, 0)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").array, expected)


@pytest.mark.parametrize("name", ["cut.seg.nrrd", "CUT.SEG.NRRD", "Cut.Seg.nrrd"])
def test_cropped_segments_are_placed_whatever_the_case_of_their_name(tmp_path, name):
    shutil.copy(CASES / "15_seg_nrrd_case" / "CUT.SEG.NRRD", tmp_path / name)
    scan = read_volume(CASES / "15_seg_nrrd_case" / "scan.nii.gz")
    assert int(read_mask(tmp_path / name, grid=scan).array.sum()) == 1324


# --- place -----------------------------------------------------------------------
def lies_over(mask, scan):
    """Count the mask's pixels over the object, both placed by SimpleITK."""
    moved = sitk.Resample(
        sitk.ReadImage(str(mask)),
        sitk.ReadImage(str(scan)),
        interpolator=sitk.sitkNearestNeighbor,
    )
    return int((sitk.GetArrayFromImage(moved) == 1).sum())


def drawn_over(scan):
    array = np.zeros(scan.shape, np.uint8)
    array[:, ellipse() == 1] = 1
    return scan.like(array)


def test_scan_without_form_codes_and_its_mask_lie_over_each_other(tmp_path):
    path = CASES / "08_nifti_no_codes" / "scan_nocodes.nii.gz"
    scan = read_volume(path)
    write_mask(drawn_over(scan), tmp_path / "m.nii.gz")
    assert lies_over(tmp_path / "m.nii.gz", path) == 1324
    assert nib.load(tmp_path / "m.nii.gz").affine == pytest.approx(
        nib.load(path).affine
    )
    drawn = read_mask(CASES / "08_nifti_no_codes" / "drawn_itk.nrrd", grid=scan)
    assert int(drawn.array.sum()) == 1324
    assert any("form codes are 0" in n for n in scan.metadata["notices"])


@pytest.mark.parametrize("codes", [(1, 2), (2, 1), (1, 0), (0, 3), (4, 1)])
def test_both_forms_of_a_header_and_their_codes_are_kept(tmp_path, codes):
    """A qform and an sform that differ: each program lays our mask over the scan."""
    array = np.zeros((50, 40, 4), np.uint8)
    image = nib.Nifti1Image(array, None)
    one, two = np.diag([-0.05, -0.04, 0.5, 1]), np.diag([0.05, -0.04, 0.5, 1])
    one[:3, 3], two[:3, 3] = (3, 4, 5), (-7, 2, 9)
    image.header.set_qform(one, code=codes[0])
    image.header.set_sform(two, code=codes[1])
    image.header.set_xyzt_units("mm")
    nib.save(image, tmp_path / "scan.nii.gz")
    scan = read_volume(tmp_path / "scan.nii.gz")
    write_mask(drawn_over(scan), tmp_path / "m.nii.gz")
    before, after = (nib.load(tmp_path / n).header for n in ("scan.nii.gz", "m.nii.gz"))
    for field in (
        *("qform_code", "sform_code", "quatern_b", "qoffset_x"),
        *("srow_x", "srow_y", "srow_z", "pixdim"),
    ):
        np.testing.assert_array_equal(before[field], after[field], field)
    assert lies_over(tmp_path / "m.nii.gz", tmp_path / "scan.nii.gz") == 1324
    # What ITK draws on the scan is taken, whichever form ITK believes.
    itk = sitk.ReadImage(str(tmp_path / "scan.nii.gz"))
    itk_mask = sitk.GetImageFromArray(drawn_over(scan).array)
    itk_mask.CopyInformation(itk)
    sitk.WriteImage(itk_mask, str(tmp_path / "itk.nrrd"))
    drawn = read_mask(tmp_path / "itk.nrrd", grid=scan)
    np.testing.assert_array_equal(drawn.affine, scan.affine)


def test_volume_that_was_moved_is_written_where_it_lies(tmp_path):
    scan = read_volume(CASES / "08_nifti_no_codes" / "scan_nocodes.nii.gz")
    affine = scan.affine.copy()
    affine[:3, 3] += 10
    moved = Volume(scan.array, affine, place=scan.place)
    write_mask(moved.like(np.ones(scan.shape, np.uint8)), tmp_path / "m.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "m.nii").affine, affine)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a @ np.diag([1, 1, -1, 1.0]), "frames running the other way"),
        (lambda a: a + np.array([[0, 0, 0, 3], *[[0] * 4] * 3]), "centres 3 mm apart"),
        (lambda a: a @ np.diag([2, 2, 2, 1.0]), "0.08 × 0.1 mm"),
    ],
)
def test_sentence_names_how_a_mask_lies_elsewhere(tmp_path, change, words):
    scan = read_volume(CASES / "15_seg_nrrd_case" / "scan.nii.gz")
    write_mask(
        Volume(np.ones(scan.shape, np.uint8), change(scan.affine)), tmp_path / "m.nrrd"
    )
    with pytest.raises(InputError, match=words):
        read_mask(tmp_path / "m.nrrd", grid=scan)


# --- units -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "file",
    [
        *("04_imagej_units/um_zmm.tif", "04_imagej_units/ymm.tif"),
        *("14_nrrd/um.nrrd", "14_nrrd/ras_cm.nrrd", "16_quaternion/quat_4e-07.nii"),
    ],
)
def test_sizes_are_in_mm_whatever_the_unit(file):
    volume = read_volume(CASES / file)
    assert volume.spacing_mm == pytest.approx(SIZE, rel=1e-6)
    assert volume.has_geometry


def test_frame_distance_that_is_no_number_is_unknown():
    volume = read_volume(CASES / "14_nrrd" / "nan_spacing.nrrd")
    assert volume.spacing_mm == pytest.approx((1, 0.04, 0.05))
    assert volume.has_geometry
    assert not volume.knows_frame_distance
    assert read_volume(CASES / "14_nrrd" / "um.nrrd").knows_frame_distance
    assert "not the distance of the frames" in volume.metadata["notices"][0]


def test_unknown_unit_of_length_gives_no_mm(tmp_path):
    head = (CASES / "14_nrrd" / "um.nrrd").read_bytes()
    (tmp_path / "a.nrrd").write_bytes(head.replace(b'"um"', b'"ly"'))
    nrrd = read_volume(tmp_path / "a.nrrd")
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((4, 40, 50), np.uint8),
        imagej=True,
        resolution=(20, 25),
        metadata={"unit": "furlong", "spacing": 2, "axes": "ZYX"},
    )
    for volume, unit in ((nrrd, "ly"), (read_volume(tmp_path / "a.tif"), "furlong")):
        assert not volume.has_geometry
        assert f"'{unit}' is unknown" in volume.metadata["notices"][-1]


def test_meta_images_unit_is_read(tmp_path):
    data = zlib.compress(bytes(2000))
    (tmp_path / "a.mha").write_bytes(
        b"ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = True\n"
        b"CompressedDataSize = %d\nElementSpacing = 50 40 500\nDimSize = 50 40 1\n"
        b"DistanceUnits = um\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
        % len(data)
        + data
    )
    assert read_volume(tmp_path / "a.mha").spacing_mm == pytest.approx(SIZE)
