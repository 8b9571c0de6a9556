"""Headers that sent ITK into a loop, ended the process, or returned its memory."""

import numpy as np
import pytest
import SimpleITK as sitk

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume


def replace(path, old, new):
    """Write other bytes in the place of those that a header has."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


@pytest.fixture
def meta_image(tmp_path):
    path = tmp_path / "scan.mha"
    frames = np.arange(3 * 12 * 16, dtype=np.int16).reshape(3, 12, 16)
    sitk.WriteImage(sitk.GetImageFromArray(frames), str(path), True)
    assert np.array_equal(read_volume(path).array, frames)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"TransformMatrix = 1 0 0 0", b"TransformMatrix = 1 0 0 1e308"),
        (b"TransformMatrix = 1 0 0 0", b"TransformMatrix = 1 0 0"),
        (b"Offset = 0 0 0", b"Offset = 0 0 inf"),
        (b"NDims = 3", b"NDims = 999999999"),
        (b"NDims = 3", b"NDims = -1"),
        (b"NDims = 3", b"NDims = 2"),
        (b"DimSize = 16 12 3", b"DimSize = 16 12"),
        (b"DimSize = 16 12 3", b"DimSize = 16 12 2"),  # more is packed
        (b"DimSize = 16 12 3", b"DimSize = 999999 999999 3"),
        (b"CompressedDataSize = ", b"CompressedDataSize = 1"),
    ],
)
def test_a_meta_image_whose_header_does_not_fit_is_refused(meta_image, old, new):
    replace(meta_image, old, new)
    with pytest.raises(InputError, match="MetaImage file must be complete"):
        read_volume(meta_image)


def test_a_size_of_the_packed_data_that_is_too_small_is_refused(meta_image):
    # ITK unpacks so many bytes, fails, and returns what was in its memory.
    data = meta_image.read_bytes()
    start = data.index(b"CompressedDataSize = ") + len(b"CompressedDataSize = ")
    end = data.index(b"\n", start)
    size = int(data[start:end])
    meta_image.write_bytes(data[:start] + str(size - 90).encode() + data[end:])
    with pytest.raises(InputError, match="packed bytes"):
        read_volume(meta_image)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"dimension: 3", b"dimension: 999"),
        (b"sizes: 16 12 3", b"sizes: 16 12 -3"),
        (b"sizes: 16 12 3", b"sizes: 99999 99999 99999"),
        (b"space origin: (0,0,0)", b"space origin: (0,0,1e308)"),
    ],
)
def test_an_nrrd_whose_header_does_not_fit_is_refused(tmp_path, old, new):
    path = tmp_path / "scan.nrrd"
    frames = np.zeros((3, 12, 16), np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(frames), str(path))
    replace(path, old, new)
    with pytest.raises(InputError, match="NRRD file must be complete"):
        read_volume(path)


def test_a_nifti_whose_header_is_cut_off_is_refused(tmp_path):
    import nibabel as nib

    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.eye(4)), path)
    for length in (0, 1, 100, 347, 360, 400):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(InputError):
            read_volume(path)
        nib.save(nib.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.eye(4)), path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"ElementDataFile = LOCAL\n", b"ElementDataFile = LOCAL"),
        (b"ElementDataFile = LOCAL\n", b"x = LOCAL\n"),
        (b"CompressedData = True", b"CompressedData = True\nrue"),
        (b"CompressedDataSize", b"CompressessedDataSize"),
    ],
)
def test_lines_that_itk_would_misread_are_refused(meta_image, old, new):
    replace(meta_image, old, new)
    with pytest.raises(InputError, match="MetaImage file must be complete"):
        read_volume(meta_image)


def test_data_in_a_file_beside_it_and_foreign_keys_are_read(tmp_path):
    frames = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    image = sitk.GetImageFromArray(frames)
    image.SetMetaData("Größe", "wie gemessen")
    sitk.WriteImage(image, str(tmp_path / "scan.mhd"))
    assert np.array_equal(read_volume(tmp_path / "scan.mhd").array, frames)
    sitk.WriteImage(image, str(tmp_path / "scan.mha"))
    assert np.array_equal(read_volume(tmp_path / "scan.mha").array, frames)
    (tmp_path / "scan.raw").unlink()
    with pytest.raises(InputError, match=r"scan\.mhd without scan\.raw"):
        read_volume(tmp_path / "scan.mhd")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    "kind", "uint8 int8 uint16 int16 uint32 int32 int64 float32 float64".split()
)
def test_packed_images_of_every_type_are_as_long_as_stated(tmp_path, kind, suffix):
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), path, useCompression=True)
    np.testing.assert_array_equal(read_volume(path).array, array)
