"""What a file alone states about its size, against what reading it gives."""

import numpy as np
import pytest
import SimpleITK
import tifffile
from pydicom.data import get_testdata_file
from skimage.io import imsave

from dicom_files import dataset, region, save
from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    ScanProperties,
    read_volume,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.io.dicom import read_dicom_grid
from napari_microus.core.io.file_size import FileSize, size_in_file
from napari_microus.core.io.reading import read_without_sidecar
from napari_microus.core.volume import Volume

FRAMES = np.random.default_rng(2).integers(0, 255, (3, 12, 16), np.uint8)
PLACED = Volume(FRAMES, np.diag([-0.05, -0.04, 0.5, 1.0]), is_oriented=True)


def agrees_with_reading(path, stated):
    """The pixels that are read show the same."""
    volume = read_without_sidecar(path)
    assert volume.has_geometry == (stated.pixel_mm is not None)
    if volume.has_geometry:
        assert stated.pixel_mm == pytest.approx(volume.spacing_mm[1:], rel=1e-6)
        assert (stated.frame_distance_mm is not None) == volume.knows_frame_distance
    assert stated.is_oriented == volume.is_oriented


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_headers_state_what_reading_gives(tmp_path, name):
    path = tmp_path / name
    write_volume(PLACED, path)
    stated = size_in_file(path)
    assert stated.pixel_mm == pytest.approx((0.04, 0.05))
    assert stated.frame_distance_mm == pytest.approx(0.5)
    agrees_with_reading(path, stated)


def test_nrrd_and_nifti_without_a_size_state_none(tmp_path):
    plain = tmp_path / "a.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(FRAMES), str(plain))
    unsized = tmp_path / "a.nii"
    write_volume(Volume(FRAMES, np.diag([-1.0, -1, 1, 1]), False), unsized)
    for path in (plain, unsized):
        stated = size_in_file(path)
        assert stated == FileSize()
        agrees_with_reading(path, stated)


def test_nrrd_whose_frames_are_a_list_has_no_distance(tmp_path):
    path = tmp_path / "a.nrrd"
    header = (
        "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 16 12 3\nencoding: raw\n"
        "spacings: 0.05 0.04 NaN\n\n"
    )
    path.write_bytes(header.encode() + FRAMES.tobytes())
    stated = size_in_file(path)
    assert stated.pixel_mm == pytest.approx((0.04, 0.05))
    assert stated.frame_distance_mm is None
    assert not read_without_sidecar(path).knows_frame_distance


def test_pictures_state_none_and_a_printing_size_is_none(tmp_path):
    picture, printed = tmp_path / "a.png", tmp_path / "a.tif"
    imsave(picture, FRAMES[0], check_contrast=False)
    tifffile.imwrite(printed, FRAMES[0], resolution=(72, 72), resolutionunit="INCH")
    assert size_in_file(picture) == size_in_file(printed) == FileSize()
    assert SimpleITK.ReadImage(str(printed)).GetSpacing()[0] == pytest.approx(25.4 / 72)


def test_tiff_states_its_pixel_and_its_frame_distance_where_it_does(tmp_path):
    stack, plain = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(
        stack,
        FRAMES,
        imagej=True,
        resolution=(20, 25),
        metadata={"unit": "mm", "spacing": 0.5, "axes": "ZYX"},
    )
    tifffile.imwrite(plain, FRAMES, resolution=(200, 250), resolutionunit="CENTIMETER")
    assert size_in_file(stack) == FileSize((0.04, 0.05), 0.5)
    assert size_in_file(plain) == FileSize((0.04, 0.05))
    agrees_with_reading(stack, size_in_file(stack))
    agrees_with_reading(plain, size_in_file(plain))


@pytest.mark.parametrize("several", ["a folder", "a list"])
def test_frames_in_a_row_have_a_size_where_they_agree_and_no_distance(
    tmp_path, several
):
    paths = [tmp_path / f"{number}.tif" for number in range(3)]
    for path, frame in zip(paths, FRAMES, strict=True):
        tifffile.imwrite(path, frame, resolution=(200, 250), resolutionunit=3)
    scan = tmp_path if several == "a folder" else paths

    assert size_in_file(scan) == FileSize((0.04, 0.05))
    volume = read_volume(scan)
    assert volume.spacing_mm == pytest.approx((1, 0.04, 0.05))
    assert not volume.knows_frame_distance

    tifffile.imwrite(paths[1], FRAMES[1], resolution=(100, 100), resolutionunit=3)
    assert size_in_file(scan) == FileSize()


def test_dicom_region_is_reported_with_where_it_begins(tmp_path):
    path = save(dataset(FRAMES, regions=[region((2, 11), (3, 15))]), tmp_path / "a.dcm")
    stated = size_in_file(path)
    assert stated == FileSize((0.05, 0.04), None, False, (2, 3), (12, 16))
    agrees_with_reading(path, stated)
    grid, scan = read_dicom_grid(path), read_volume(path)
    assert grid.shape == scan.shape == (3, 10, 13)
    assert grid.shares_grid(scan)
    np.testing.assert_array_equal(grid.affine, scan.affine)


def test_ultrasound_without_calibration_states_none(tmp_path):
    path = save(dataset(FRAMES), tmp_path / "a.dcm")
    assert size_in_file(path) == size_in_file([path]) == FileSize()
    agrees_with_reading(path, size_in_file(path))


@pytest.mark.parametrize(
    ("name", "pixel_mm", "start"),
    [
        ("examples_rgb_color.dcm", None, (0, 0)),
        ("examples_ybr_color.dcm", 0.510497, (0, 0)),
        ("examples_palette.dcm", 0.262288, (0, 0)),  # its region is larger than it
    ],
)
def test_pydicoms_own_ultrasound_files(name, pixel_mm, start):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not in the wheel")
    stated = size_in_file(path)
    expected = None if pixel_mm is None else pytest.approx((pixel_mm, pixel_mm))
    assert stated.pixel_mm == expected
    assert stated.start == start


def test_what_a_person_stated_beside_the_file_is_not_the_files_word(tmp_path):
    path = tmp_path / "a.png"
    imsave(path, FRAMES[0], check_contrast=False)
    write_scan_properties(path, ScanProperties((0.05, 0.05)))
    assert size_in_file(path) == FileSize()


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="must exist"):
        size_in_file(tmp_path / "a.nii")
    (tmp_path / "a.txt").write_text("no scan")
    with pytest.raises(InputError):
        size_in_file(tmp_path / "a.txt")
