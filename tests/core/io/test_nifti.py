import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume

LPS = np.diag([-1.0, -1.0, 1.0])


def itk_affine(image: sitk.Image) -> np.ndarray:
    """RAS affine out of SimpleITK's direction, spacing and origin."""
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (3, 3))
    affine[:3, :3] = LPS @ direction @ np.diag(image.GetSpacing())
    affine[:3, 3] = LPS @ image.GetOrigin()
    return affine


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nibabel_reads_what_was_written(tmp_path, affine, array, suffix):
    write_mask(Volume(array, affine), tmp_path / f"mask{suffix}")

    image = nib.load(tmp_path / f"mask{suffix}")

    np.testing.assert_array_equal(image.get_fdata(), array.transpose(2, 1, 0))
    np.testing.assert_array_equal(image.affine, affine.astype(np.float32))
    np.testing.assert_allclose(image.get_qform(), affine, atol=2e-6)
    assert image.get_data_dtype() == np.uint8
    assert image.header.get_xyzt_units()[0] == "mm"


def test_simpleitk_reads_what_was_written(tmp_path, affine, array):
    write_mask(Volume(array, affine), tmp_path / "mask.nii.gz")

    image = sitk.ReadImage(str(tmp_path / "mask.nii.gz"))

    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), array)
    np.testing.assert_allclose(itk_affine(image), affine, atol=5e-6)


def test_reads_what_nibabel_wrote(tmp_path, affine, array):
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), tmp_path / "a.nii.gz")

    volume = read_volume(tmp_path / "a.nii.gz")

    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_array_equal(volume.affine, affine.astype(np.float32))
    assert volume.has_geometry


def test_reads_what_simpleitk_wrote(tmp_path, affine, array):
    image = sitk.GetImageFromArray(array)
    axes = LPS @ affine[:3, :3]
    image.SetSpacing(np.linalg.norm(axes, axis=0).tolist())
    image.SetDirection((axes / np.linalg.norm(axes, axis=0)).ravel().tolist())
    image.SetOrigin((LPS @ affine[:3, 3]).tolist())
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))

    volume = read_volume(tmp_path / "a.nii.gz")

    again = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(again))
    np.testing.assert_allclose(volume.affine, affine, atol=5e-6)


def test_affine_of_a_file_comes_back_to_the_bit(tmp_path, affine, array):
    write_mask(Volume(array, affine), tmp_path / "one.nii")
    first = read_volume(tmp_path / "one.nii")
    write_mask(first, tmp_path / "two.nii.gz")

    np.testing.assert_array_equal(
        read_volume(tmp_path / "two.nii.gz").affine, first.affine
    )


def test_affine_of_a_qform_alone_comes_back_to_the_bit(tmp_path, affine, array):
    image = nib.Nifti1Image(array.transpose(2, 1, 0), None)
    image.header.set_qform(affine, code=1)
    image.header.set_sform(None, code=0)
    nib.save(image, tmp_path / "one.nii")
    first = read_volume(tmp_path / "one.nii")
    write_mask(first, tmp_path / "two.nii")

    np.testing.assert_array_equal(first.affine, nib.load(tmp_path / "one.nii").affine)
    np.testing.assert_array_equal(
        read_volume(tmp_path / "two.nii").affine, first.affine
    )


def test_float64_affine_is_kept_in_float32(tmp_path, oblique, array):
    write_mask(Volume(array, oblique), tmp_path / "a.nii")

    back = read_volume(tmp_path / "a.nii").affine

    assert 0 < np.abs(back - oblique).max() < 1e-5


def test_sheared_axes_survive_in_the_sform(tmp_path, array):
    affine = np.array([[0.1, 0.05, 0, 1], [0, 0.2, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    write_mask(Volume(array, affine), tmp_path / "a.nii")

    np.testing.assert_allclose(
        read_volume(tmp_path / "a.nii").affine, affine, atol=1e-6
    )


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 1e-3)])
def test_other_units_become_millimetres_as_in_simpleitk(tmp_path, array, unit, factor):
    image = nib.Nifti1Image(array.transpose(2, 1, 0), np.diag([2.0, 3, 4, 1]))
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "a.nii")

    volume = read_volume(tmp_path / "a.nii")

    assert volume.spacing_mm == pytest.approx((4 * factor, 3 * factor, 2 * factor))
    itk = sitk.ReadImage(str(tmp_path / "a.nii"))
    assert volume.spacing_mm[::-1] == pytest.approx(itk.GetSpacing())


def test_geometry_is_unknown_where_the_header_states_nothing(tmp_path, array):
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), np.eye(4)), tmp_path / "a.nii")
    pixels = read_volume(tmp_path / "a.nii")
    write_mask(pixels, tmp_path / "b.nii")

    assert not pixels.has_geometry
    assert not read_volume(tmp_path / "b.nii").has_geometry


def test_unit_that_the_standard_does_not_know_is_no_error(tmp_path, array):
    image = nib.Nifti1Image(array.transpose(2, 1, 0), np.diag([0.1, 0.2, 1, 1]))
    image.header["xyzt_units"] = 6
    nib.save(image, tmp_path / "a.nii")

    assert read_volume(tmp_path / "a.nii").spacing_mm == pytest.approx((1, 0.2, 0.1))


def test_one_millimetre_voxels_are_known_to_be_so(tmp_path, array):
    write_mask(Volume.from_spacing(array, (1, 1, 1)), tmp_path / "a.nii")

    assert read_volume(tmp_path / "a.nii").has_geometry


def test_scaled_integers_become_what_they_mean(tmp_path):
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    image = nib.Nifti1Image(stored, np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nib.save(image, tmp_path / "a.nii")

    # 0.5 * 23 + 10
    assert read_volume(tmp_path / "a.nii").array.max() == pytest.approx(21.5)


def test_picture_becomes_one_frame(tmp_path, oblique):
    picture = np.arange(12, dtype=np.uint8).reshape(4, 3)  # x, y
    nib.save(nib.Nifti1Image(picture, oblique), tmp_path / "a.nii")

    volume = read_volume(tmp_path / "a.nii")

    assert volume.shape == (1, 3, 4)
    np.testing.assert_array_equal(volume.array[0], picture.T)


def test_single_time_point_is_dropped(tmp_path, array):
    image = nib.Nifti1Image(array.transpose(2, 1, 0)[..., np.newaxis], np.eye(4))
    nib.save(image, tmp_path / "a.nii")

    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").array, array)


@pytest.mark.parametrize("shape", [(5,), (3, 4, 5, 2)])
def test_other_dimensions_are_refused_in_one_sentence(tmp_path, shape):
    nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), tmp_path / "a.nii")

    with pytest.raises(InputError, match=rf"three dimensions .* got {len(shape)} with"):
        read_volume(tmp_path / "a.nii")


def test_zero_frames_are_refused(tmp_path):
    header = nib.Nifti1Image(np.zeros((2, 2, 1), np.uint8), np.eye(4)).header
    header["dim"][3] = 0
    (tmp_path / "a.nii").write_bytes(header.binaryblock + b"\0" * 8)

    with pytest.raises(InputError, match="at least one frame"):
        read_volume(tmp_path / "a.nii")


def test_colour_becomes_grey(tmp_path):
    rgb = np.zeros((2, 3, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"] = 200
    nib.save(nib.Nifti1Image(rgb, np.eye(4)), tmp_path / "a.nii")

    volume = read_volume(tmp_path / "a.nii")

    assert volume.array.max() == 60  # 0.299 * 200, rounded
    assert "greyscale" in volume.metadata["notices"][0]


def test_complex_numbers_are_refused(tmp_path):
    nib.save(
        nib.Nifti1Image(np.ones((2, 2, 2), complex), np.eye(4)), tmp_path / "a.nii"
    )

    with pytest.raises(InputError, match="real numbers; got complex128"):
        read_volume(tmp_path / "a.nii")


def test_nan_is_kept(tmp_path):
    array = np.full((2, 2, 2), np.nan, np.float32)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii")

    assert np.isnan(read_volume(tmp_path / "a.nii").array).all()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated_file_is_refused(tmp_path, suffix, share):
    noise = np.random.default_rng(1).integers(0, 255, (20, 30, 40)).astype(np.uint8)
    whole = tmp_path / f"whole{suffix}"
    write_volume(Volume.from_spacing(noise, (1, 1, 1)), whole)
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(InputError, match=f"complete .*cut{suffix}, which is damaged"):
        read_volume(cut)


def test_header_that_claims_terabytes_is_refused_at_once(tmp_path):
    header = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header
    header["dim"][1:4] = 32000
    for name in ("a.nii", "a.nii.gz"):
        with nib.openers.Opener(tmp_path / name, "wb") as file:
            file.write(header.binaryblock + b"\0" * 100)
        with pytest.raises(InputError, match="damaged, cut short"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["text.nii", "text.nii.gz"])
def test_foreign_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text("These are notes about a patient. " * 40)

    with pytest.raises(InputError, match="complete and of that format"):
        read_volume(tmp_path / name)


def test_probability_keeps_its_floats(tmp_path, oblique):
    array = np.random.default_rng(2).random((2, 3, 4)).astype(np.float32)
    write_volume(Volume(array, oblique), tmp_path / "p.nii.gz")

    back = read_volume(tmp_path / "p.nii.gz").array
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("bool", "uint8"),
        ("float16", "float32"),
        ("int64", "int32"),
        ("uint16", "uint16"),
    ],
)
def test_types_are_stored_as_all_programs_know_them(tmp_path, given, stored):
    array = np.array([[[0, 1, 1]]]).astype(given)
    write_volume(Volume.from_spacing(array, (1, 1, 1)), tmp_path / "a.nii")

    assert read_volume(tmp_path / "a.nii").array.dtype == stored
