import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    array_for_layer,
    derived_metadata,
    geometry,
    layer_arguments,
    volume_from_layer,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def oblique() -> np.ndarray:
    """Voxel (x, y, z) to RAS mm of a scan turned about two axes."""
    a, b = np.deg2rad([20, -35])
    turn_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    turn_z = [[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(turn_x) @ turn_z @ np.diag([0.1, 0.2, 1.5])
    affine[:3, 3] = [3, -40, 12.5]
    return affine


@pytest.fixture
def scan() -> Image:
    volume = Volume(
        np.arange(60.0).reshape(3, 4, 5), oblique(), metadata={"source": "scan.nii"}
    )
    return Image(volume.array, name="scan", **layer_arguments(volume))


def test_a_new_layer_lies_over_a_moved_and_turned_one():
    source = Image(
        np.zeros((3, 4, 5)),
        scale=(2, 0.5, 0.5),
        translate=(7, 1, 2),
        rotate=(10, 20, 30),
        shear=(0.1, 0.2, 0.3),
        affine=np.array([[0, 1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]]),
        units=("mm",) * 3,
        axis_labels=("z", "y", "x"),
    )
    mask = Labels(np.zeros((3, 4, 5), np.uint8), **geometry(source))

    np.testing.assert_allclose(mask.extent.world, source.extent.world)
    assert mask.data_to_world((1, 2, 3)) == pytest.approx(
        source.data_to_world((1, 2, 3))
    )
    assert mask.units == source.units
    assert mask.axis_labels == ("z", "y", "x")


def test_volume_shows_in_millimetres(scan):
    np.testing.assert_allclose(scan.scale, (1.5, 0.2, 0.1))
    assert [str(unit) for unit in scan.units] == ["millimeter"] * 3
    assert scan.metadata[METADATA_KEY]["affine"] == oblique().tolist()
    assert scan.metadata[METADATA_KEY]["has_geometry"] is True
    assert scan.metadata[METADATA_KEY]["source"] == "scan.nii"


def test_frame_without_a_pixel_size_shows_in_pixels():
    volume = Volume.from_spacing(np.zeros((1, 4, 5)), (1, 1, 1))
    layer = Image(
        volume.array, **layer_arguments(Volume(volume.array, volume.affine, False))
    )

    assert [str(unit) for unit in layer.units] == ["pixel"] * 3
    assert not volume_from_layer(layer).has_geometry


def test_affine_of_the_file_comes_back_exactly(scan):
    volume = volume_from_layer(scan)

    np.testing.assert_array_equal(volume.affine, oblique())
    np.testing.assert_array_equal(volume.array, scan.data)
    assert volume.has_geometry
    assert volume.metadata["source"] == "scan.nii"


def test_shift_in_napari_moves_the_volume_along_its_own_axes(scan):
    scan.translate = (0, 0, 1.0)  # 1 mm along x, that is 10 voxels of 0.1 mm

    expected = oblique()
    expected[:3, 3] += 10 * oblique()[:3, 0]
    np.testing.assert_allclose(volume_from_layer(scan).affine, expected, atol=1e-12)


def test_a_new_voxel_size_keeps_the_directions(scan):
    scan.scale = (3.0, 0.4, 0.4)

    volume = volume_from_layer(scan)

    assert volume.spacing_mm == pytest.approx((3.0, 0.4, 0.4))
    expected = oblique()[:3, :3] / np.array([0.1, 0.2, 1.5])
    np.testing.assert_allclose(volume.affine[:3, :3] / [0.4, 0.4, 3.0], expected)


def test_layer_without_our_metadata_lies_as_in_dicom():
    layer = Image(
        np.zeros((3, 4, 5)),
        scale=(2, 0.5, 0.25),
        translate=(7, 8, 9),
        units=("mm",) * 3,
    )

    expected = Volume.from_spacing(layer.data, (2, 0.5, 0.25)).affine.copy()
    expected[:3, 3] = [-9, -8, 7]
    np.testing.assert_allclose(volume_from_layer(layer).affine, expected)


def test_turned_layer_without_our_metadata_keeps_its_angle():
    layer = Labels(np.zeros((2, 4, 5), np.uint8), units="mm", rotate=(90, 0, 0))

    world = np.array(layer.data_to_world((1, 2, 3)))
    ras = volume_from_layer(layer).affine @ [3, 2, 1, 1]

    np.testing.assert_allclose(ras[:3], world[::-1] * [-1, -1, 1], atol=1e-12)


def test_micrometres_become_millimetres():
    layer = Image(np.zeros((3, 4, 5)), scale=(500, 30, 30), units=("um",) * 3)

    assert volume_from_layer(layer).spacing_mm == pytest.approx((0.5, 0.03, 0.03))


def test_one_picture_is_a_volume_of_one_frame():
    layer = Image(np.zeros((4, 5)), scale=(0.5, 0.25), units=("mm",) * 2)

    volume = volume_from_layer(layer)

    assert volume.shape == (1, 4, 5)
    assert volume.spacing_mm == pytest.approx((1, 0.5, 0.25))
    assert array_for_layer(volume.array, layer).shape == (4, 5)


def test_single_time_point_is_one_scan():
    layer = Image(np.zeros((1, 3, 4, 5)), scale=(1, 2, 0.5, 0.5), units=("mm",) * 4)

    volume = volume_from_layer(layer)

    assert volume.shape == (3, 4, 5)
    assert volume.spacing_mm == pytest.approx((2, 0.5, 0.5))
    assert array_for_layer(volume.array, layer).shape == (1, 3, 4, 5)


def test_several_time_points_are_refused():
    with pytest.raises(InputError, match="Choose a layer of one scan"):
        volume_from_layer(Image(np.zeros((2, 3, 4, 5))))


def test_colour_layer_becomes_grey_with_a_notice():
    pixels = np.zeros((2, 4, 5, 3), np.uint8)
    pixels[..., 0] = 100

    volume = volume_from_layer(Image(pixels, rgb=True))

    assert volume.shape == (2, 4, 5)
    assert set(volume.array.ravel()) == {30}  # 0.299 * 100
    assert "greyscale" in volume.metadata["notices"][0]


def test_derived_layer_keeps_the_place_in_the_patient(scan):
    mask = Labels(
        np.zeros((3, 4, 5), np.uint8),
        **geometry(scan),
        metadata=derived_metadata(scan, provenance={"model": "small"}),
    )

    np.testing.assert_array_equal(volume_from_layer(mask).affine, oblique())
    assert mask.metadata[METADATA_KEY]["provenance"] == {"model": "small"}
