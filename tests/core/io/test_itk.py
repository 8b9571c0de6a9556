import sys

import numpy as np
import pytest
import SimpleITK as sitk

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import read_mask, read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume
from small_disk import files_of_at_most

LPS = np.diag([-1.0, -1.0, 1.0])
SUFFIXES = [".nrrd", ".mha"]


def itk_image(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Place an array (Z, Y, X) where the RAS affine says, by SimpleITK's setters."""
    image = sitk.GetImageFromArray(array)
    axes = LPS @ affine[:3, :3]
    image.SetSpacing(np.linalg.norm(axes, axis=0).tolist())
    image.SetDirection((axes / np.linalg.norm(axes, axis=0)).ravel().tolist())
    image.SetOrigin((LPS @ affine[:3, 3]).tolist())
    return image


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".nhdr", ".mhd"])
def test_reads_what_simpleitk_wrote(tmp_path, affine, array, suffix):
    sitk.WriteImage(itk_image(array, affine), str(tmp_path / f"a{suffix}"))

    volume = read_volume(tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.affine, affine, rtol=0, atol=1e-14)
    assert volume.has_geometry


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_simpleitk_finds_voxels_where_the_affine_says(tmp_path, affine, array, suffix):
    write_mask(Volume(array, affine), tmp_path / f"a{suffix}")

    image = sitk.ReadImage(str(tmp_path / f"a{suffix}"))

    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    point = image.TransformIndexToPhysicalPoint((4, 1, 2))
    np.testing.assert_allclose(LPS @ point, (affine @ [4, 1, 2, 1])[:3], atol=1e-12)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".seg.nrrd"])
def test_float64_affine_survives_a_round_trip(tmp_path, affine, array, suffix):
    write_mask(Volume(array, affine), tmp_path / f"a{suffix}")

    back = read_volume(tmp_path / f"a{suffix}").affine

    np.testing.assert_allclose(back, affine, rtol=0, atol=1e-14)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_probability_keeps_its_floats(tmp_path, affine, suffix):
    array = np.random.default_rng(1).random((2, 3, 4)).astype(np.float32)
    write_volume(Volume(array, affine), tmp_path / f"a{suffix}")

    np.testing.assert_array_equal(read_volume(tmp_path / f"a{suffix}").array, array)


def test_nrrd_in_ras_is_read_as_ras(tmp_path, array):
    header = (
        "NRRD0004\ntype: unsigned char\ndimension: 3\n"
        "space: right-anterior-superior\nsizes: 5 4 3\n"
        "space directions: (0.1,0,0) (0,0.2,0) (0,0,0.5)\n"
        "kinds: domain domain domain\nencoding: raw\nspace origin: (1,2,3)\n\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header.encode() + array.tobytes())

    volume = read_volume(tmp_path / "a.nrrd")

    expected = [[0.1, 0, 0, 1], [0, 0.2, 0, 2], [0, 0, 0.5, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.affine, expected, atol=1e-15)
    np.testing.assert_array_equal(volume.array, array)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_geometry_is_unknown_where_the_header_states_nothing(tmp_path, array, suffix):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"a{suffix}"))

    assert not read_volume(tmp_path / f"a{suffix}").has_geometry


def test_two_dimensional_image_is_one_frame(tmp_path):
    image = sitk.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.SetSpacing((0.1, 0.2))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))

    volume = read_volume(tmp_path / "a.mha")

    assert volume.shape == (1, 3, 4)
    assert volume.spacing_mm == pytest.approx((1, 0.2, 0.1))


def test_colour_becomes_grey(tmp_path):
    pixels = np.zeros((2, 3, 4, 3), np.uint8)
    pixels[..., 1] = 100
    sitk.WriteImage(
        sitk.GetImageFromArray(pixels, isVector=True), str(tmp_path / "a.mha")
    )

    volume = read_volume(tmp_path / "a.mha")

    assert volume.array.max() == 59  # 0.587 * 100, rounded
    assert "greyscale" in volume.metadata["notices"][0]


def test_four_dimensions_are_refused_but_for_a_single_one(tmp_path, array):
    single = sitk.JoinSeries([sitk.GetImageFromArray(array)])
    double = sitk.JoinSeries([sitk.GetImageFromArray(array)] * 2)
    sitk.WriteImage(single, str(tmp_path / "one.nrrd"))
    sitk.WriteImage(double, str(tmp_path / "two.nrrd"))

    np.testing.assert_array_equal(read_volume(tmp_path / "one.nrrd").array, array)
    with pytest.raises(InputError, match=r"dimensions .* got 4 with shape"):
        read_volume(tmp_path / "two.nrrd")


def test_vectors_are_refused(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((2, 3, 4, 5), np.float32), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))

    with pytest.raises(InputError, match="one intensity per pixel; got 5"):
        read_volume(tmp_path / "a.mha")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"notes about a patient", b"\x89PNG\r\n\x1a\n"])
def test_foreign_file_is_refused(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)

    with pytest.raises(InputError, match="complete and of that format"):
        read_volume(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.1, 0.6, 0.95])
def test_truncated_file_is_refused(tmp_path, suffix, share):
    noise = np.random.default_rng(1).integers(0, 255, (9, 20, 30)).astype(np.uint8)
    write_volume(Volume.from_spacing(noise, (1, 1, 1)), tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InputError, match="complete and of that format"):
        read_volume(tmp_path / f"cut{suffix}")


def test_header_whose_pixels_are_missing_is_refused(tmp_path, array):
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.mhd"))
    (tmp_path / "a.raw").unlink()

    with pytest.raises(InputError, match=r"a\.mhd without a\.raw"):
        read_volume(tmp_path / "a.mhd")


@pytest.mark.parametrize(
    ("name", "module"),
    [("a.nrrd", "SimpleITK"), ("a.mha", "SimpleITK"), ("a.dcm", "pydicom")],
)
def test_missing_package_is_named_with_what_to_do(tmp_path, monkeypatch, name, module):
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(InputError, match=r"must be installed .*pip install"):
        read_volume(tmp_path / name)


def test_missing_simpleitk_leaves_no_partial_output(tmp_path, monkeypatch, mask):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)

    with pytest.raises(InputError, match="SimpleITK must be installed"):
        write_mask(mask, tmp_path / "a.nrrd")
    assert list(tmp_path.iterdir()) == []


def test_nifti_and_pictures_need_no_simpleitk(tmp_path, monkeypatch, mask):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)

    write_mask(mask, tmp_path / "a.nii.gz")

    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, mask.array)


def test_segmentation_names_its_segments(tmp_path, mask):
    array = mask.array.copy()
    array[0, 0, 0] = 255
    write_mask(mask.like(array), tmp_path / "a.seg.nrrd")

    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    assert image.GetMetaData("Segment0_Name") == "Capsule"
    assert image.GetMetaData("Segment0_LabelValue") == "1"
    assert image.GetMetaData("Segment0_Extent") == "0 5 0 4 0 3"
    assert image.GetMetaData("Segmentation_MasterRepresentation") == "Binary labelmap"
    labels = read_volume(tmp_path / "a.seg.nrrd").metadata["labels"]
    assert labels == {1: "Capsule", 255: "Undecided"}


def test_segments_of_slicer_are_chosen_by_label(tmp_path, array):
    array = array * 2
    array[0, 0, 0] = 1
    image = sitk.GetImageFromArray(array)
    for number, (name, value) in enumerate([("Bladder", 1), ("Prostate", 2)]):
        image.SetMetaData(f"Segment{number}_ID", f"Segment_{number}")
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))

    with pytest.raises(InputError, match=r"labels 1 \(Bladder\), 2 \(Prostate\)"):
        read_mask(tmp_path / "a.seg.nrrd")
    chosen = read_mask(tmp_path / "a.seg.nrrd", label=2)
    np.testing.assert_array_equal(chosen.array, array == 2)


def test_overlapping_segments_are_refused(tmp_path, array):
    layers = np.stack([array, array], axis=-1)
    image = sitk.GetImageFromArray(layers, isVector=True)
    image.SetMetaData("Segment0_ID", "Segment_0")
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))

    with pytest.raises(InputError, match="must not overlap"):
        read_volume(tmp_path / "a.seg.nrrd")


@pytest.fixture
def dicom(tmp_path):
    """Three files of one series, 0.4 mm apart, named against their order."""
    folder = tmp_path / "series"
    folder.mkdir()
    frames = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, frame in enumerate(frames):
        image = sitk.GetImageFromArray(frame[np.newaxis])
        image.SetSpacing((0.1, 0.2, 0.4))
        image.SetOrigin((0, 0, 0.4 * number))
        tags = {
            "0008|0060": "US",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.3.1",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.1.{number + 1}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.2",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.3",
            "0020|0032": f"0\\0\\{0.4 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(number),
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{9 - number}.dcm"))
        writer.Execute(image)
    return folder


def test_dicom_series_is_read_in_spatial_order(dicom):
    volume = read_volume(dicom)

    np.testing.assert_array_equal(volume.array.ravel(), np.arange(60))
    itk = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(dicom)))
    assert volume.spacing_mm[::-1] == pytest.approx(itk.GetSpacing())


def test_one_dicom_file_is_one_frame_also_without_a_suffix(dicom):
    file = dicom / "9.dcm"
    bare = file.rename(dicom / "IM0001")

    volume = read_volume(bare)

    np.testing.assert_array_equal(volume.array.ravel(), np.arange(20))


def test_two_dicom_series_in_one_folder_are_refused(dicom):
    image = sitk.ReadImage(str(dicom / "9.dcm"))
    image.SetMetaData("0020|000e", "1.2.826.0.1.3680043.2.1125.4")
    sitk.WriteImage(image, str(dicom / "other.dcm"))

    with pytest.raises(InputError, match="must hold one series; got 2"):
        read_volume(dicom)


def test_foreign_dicom_is_refused(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"nothing of the kind")

    with pytest.raises(InputError, match="DICOM file must be complete"):
        read_volume(tmp_path / "a.dcm")


@pytest.mark.parametrize("size", [100, 900])  # in the header, in the data
@pytest.mark.parametrize("name", ["mask.mha", "mask.nrrd", "mask.seg.nrrd"])
def test_a_disk_that_takes_a_part_keeps_the_former_mask(tmp_path, name, size):
    draw = np.random.default_rng(0)
    noise = Volume(draw.integers(0, 2, (4, 40, 50), np.uint8))
    write_mask(noise.like(noise.array * 0), tmp_path / name)
    before = (tmp_path / name).read_bytes()
    # ITK writes a cut MetaImage without a word.
    with files_of_at_most(size), pytest.raises(OutputError, match="Cannot write to"):
        write_mask(noise, tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]
