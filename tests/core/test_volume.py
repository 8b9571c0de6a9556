import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume


@pytest.fixture
def array() -> np.ndarray:
    return np.zeros((2, 3, 4), np.uint8)


def test_spacing_is_in_the_order_of_the_array(array):
    # columns are 0.1 mm apart, rows 0.2 mm, frames 1.5 mm
    assert Volume(array, np.diag([0.1, 0.2, 1.5, 1])).spacing_mm == (1.5, 0.2, 0.1)


def test_spacing_of_turned_axes_is_their_length(array):
    affine = np.array([[3, 0, 0, 9], [4, 0, -2, 9], [0, 7, 0, 9], [0, 0, 0, 1.0]])

    # column axis (3, 4, 0), row axis (0, 0, 7), frame axis (0, -2, 0)
    assert Volume(array, affine).spacing_mm == (2, 7, 5)


def test_from_spacing_lies_as_in_dicom(array):
    volume = Volume.from_spacing(array, (1.5, 0.2, 0.1))

    assert volume.spacing_mm == (1.5, 0.2, 0.1)
    # a column further is to the patient's left, a row further to the posterior
    np.testing.assert_allclose(volume.affine @ [1, 1, 1, 1], [-0.1, -0.2, 1.5, 1])


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 2, 3, 4)])
def test_other_dimensions_are_refused(shape):
    with pytest.raises(InputError, match=f"three dimensions .* got {len(shape)} with"):
        Volume(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_no_frames_or_pixels_are_refused(shape):
    with pytest.raises(InputError, match="at least one frame with pixels"):
        Volume(np.zeros(shape))


@pytest.mark.parametrize(
    ("affine", "match"),
    [
        (np.eye(3), "finite 4 × 4 matrix"),
        (np.diag([1, 1, np.nan, 1]), "finite 4 × 4 matrix"),
        (np.diag([1.0, 0, 1, 1]), "must be invertible"),
        (np.array([[1, 2, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "inv"),
    ],
)
def test_affines_that_place_nothing_are_refused(array, affine, match):
    with pytest.raises(InputError, match=match):
        Volume(array, affine)


def test_voxels_of_a_tenth_of_a_micrometre_are_accepted(array):
    assert Volume(array, np.diag([1e-4, 1e-4, 1e-4, 1])).spacing_mm[0] == 1e-4


def test_affine_cannot_be_changed_behind_its_back(array):
    affine = np.eye(4)
    volume = Volume(array, affine)
    affine[0, 0] = 5

    assert volume.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 0] = 5


def test_like_keeps_the_grid_and_checks_the_shape(array):
    volume = Volume(array, np.diag([0.1, 0.2, 1.5, 1]), has_geometry=False)

    other = volume.like(array + 1, model="small")

    assert other.shares_grid(volume)
    assert not other.has_geometry
    assert other.metadata == {"model": "small"}
    with pytest.raises(InputError, match="must share a grid"):
        volume.like(array[:1])


def test_grids_are_shared_within_a_micrometre_at_the_far_corner(array):
    volume = Volume(array, np.diag([0.1, 0.2, 1.5, 1]))
    close, far = volume.affine.copy(), volume.affine.copy()
    close[0, 0] += 0.9e-3 / 3  # the last of four columns is moved by 0.9 µm
    far[0, 0] += 1.1e-3 / 3

    assert volume.shares_grid(Volume(array, close))
    assert not volume.shares_grid(Volume(array, far))
    assert not volume.shares_grid(Volume(array[:1], volume.affine))
