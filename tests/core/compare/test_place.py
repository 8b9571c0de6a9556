import numpy as np
import pytest

from napari_microus.core.compare.place import axis_ends, disagreement_by_place
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.io import read_volume, write_mask
from napari_microus.core.volume import Volume


def test_rows_and_columns_carry_the_names_of_the_patient():
    dicom_like = Volume.from_spacing(np.zeros((1, 1, 1)), (1, 1, 1)).affine
    assert axis_ends(dicom_like) == (("anterior", "posterior"), ("right", "left"))
    assert axis_ends(np.eye(4)) == (("posterior", "anterior"), ("left", "right"))
    sagittal = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    assert axis_ends(sagittal) == (("head", "foot"), ("posterior", "anterior"))


def test_disagreement_is_split_at_the_centre_of_what_was_drawn():
    expert = np.zeros((6, 20, 20), np.uint8)
    expert[:, 6:14, 6:14] = 1
    nonexpert = expert.copy()
    nonexpert[0, 6:14, 14:16] = 1  # 16 px on the high columns, first third
    affine = Volume.from_spacing(expert, (1, 1, 1)).affine

    table = {
        share.place: share
        for share in disagreement_by_place(disagreement_map(expert, nonexpert), affine)
    }

    assert table["left"].nonexpert_only_px == 16
    assert table["left"].share == 1
    assert table["right"].share == 0
    assert table["anterior"].share == pytest.approx(0.5)
    assert table["posterior"].share == pytest.approx(0.5)
    assert [table[f"{n} third"].share for n in ("first", "middle", "last")] == [1, 0, 0]
    assert table["first third"].disputed_of_drawn == pytest.approx(16 / (16 + 128))


def test_nothing_drawn_has_no_share():
    nothing = np.zeros((2, 4, 4), np.uint8)
    shares = disagreement_by_place(nothing, np.eye(4))
    assert len(shares) == 7
    assert all(np.isnan(share.share) for share in shares)


def test_without_an_orientation_halves_of_the_picture_are_named():
    expert = np.zeros((1, 10, 10), np.uint8)
    expert[0, 4:6, 4:6] = 1
    nonexpert = expert.copy()
    nonexpert[0, 4:6, 6:8] = 1
    shares = disagreement_by_place(disagreement_map(expert, nonexpert), None)
    table = {share.place: share for share in shares}
    assert table["right half of the picture"].share == 1
    assert table["left half of the picture"].share == 0
    assert not any("anterior" in place for place in table)


@pytest.mark.parametrize("degrees", [35, 45, 55])
def test_oblique_axes_have_no_name_and_shares_add_up(degrees):
    """Rows and columns both leaned to left and right, which gave "right = 150 %"."""
    angle = np.radians(degrees)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (2, 12, 12)).astype(np.uint8)
    shares = disagreement_by_place(codes, affine)
    assert all("picture" in share.place for share in shares[:4])
    for pair in (shares[0:2], shares[2:4]):
        assert sum(share.share for share in pair) == pytest.approx(1)


def test_axes_that_lean_a_little_keep_their_names():
    angle = np.radians(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert axis_ends(affine) == (("posterior", "anterior"), ("left", "right"))


def test_a_picture_states_no_orientation_and_a_nifti_does(tmp_path):
    from PIL import Image

    array = np.zeros((4, 6), np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png", dpi=(254, 254))
    assert read_volume(tmp_path / "a.png").patient_affine is None
    write_mask(Volume.from_spacing(array[None], (1, 1, 1)), tmp_path / "a.nii.gz")
    nifti = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(nifti.patient_affine, nifti.affine)
    assert nifti.like(nifti.array).patient_affine is not None
    write_mask(Volume.from_spacing(array[None], (1, 0.5, 0.5)), tmp_path / "a.nrrd")
    assert read_volume(tmp_path / "a.nrrd").patient_affine is not None
