from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.notifications import notification_manager
from PIL import Image as Picture

from dicom_files import dataset, region, save
from napari_microus._reader import get_reader, read_layers
from napari_microus.core.errors import InputError
from napari_microus.core.export.dicom_seg import write_dicom_seg
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import METADATA_KEY

OBLIQUE = np.array(
    [[0.08, -0.1, 0.2, 3], [0.05, 0.17, 0.1, -4], [-0.02, 0.03, 0.9, 5], [0, 0, 0, 1]]
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def scan() -> Volume:
    noise = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)
    return Volume.from_spacing(noise, (1.2, 0.1, 0.05))


@pytest.fixture
def mask(scan) -> Volume:
    array = np.zeros(scan.shape, np.uint8)
    array[1, 5:10, 5:10] = 1
    return scan.like(array)


def opened(viewer: ViewerModel, path: object) -> list:
    """Open a path as napari does: find the reader, then add its layer data."""
    read = get_reader(path)
    assert read is not None
    return [viewer._add_layer_from_data(*data)[0] for data in read(path)]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_scan_becomes_an_image_in_millimetres(viewer, scan, tmp_path, suffix):
    write_volume(scan, tmp_path / f"scan{suffix}")

    (layer,) = opened(viewer, str(tmp_path / f"scan{suffix}"))

    assert isinstance(layer, Image)
    assert layer.name == "scan"
    np.testing.assert_array_equal(layer.data, scan.array)
    assert layer.scale == pytest.approx((1.2, 0.1, 0.05))
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("z", "y", "x")
    own = layer.metadata[METADATA_KEY]
    np.testing.assert_allclose(own["affine"], scan.affine, atol=1e-7)
    assert own["has_geometry"] is True
    assert own["source"].endswith(f"scan{suffix}")


def test_oblique_scan_keeps_its_affine(viewer, tmp_path):
    array = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), OBLIQUE), tmp_path / "a.nii")

    (layer,) = opened(viewer, str(tmp_path / "a.nii"))

    expected = nib.load(tmp_path / "a.nii").affine
    np.testing.assert_array_equal(layer.metadata[METADATA_KEY]["affine"], expected)
    # the length of the affine's columns, in the order of the array
    lengths = np.sqrt((expected[:3, :3] ** 2).sum(axis=0))[::-1]
    np.testing.assert_allclose(layer.scale, lengths)


@pytest.mark.parametrize(
    "name",
    ["expert_annotation_test_01.nii.gz", "capsule.nrrd", "a_mask.mha", "x-seg.nii"],
)
def test_annotation_becomes_labels_over_its_scan(viewer, scan, mask, tmp_path, name):
    write_volume(scan, tmp_path / "scan.nii.gz")
    write_mask(mask, tmp_path / name)

    (image,) = opened(viewer, str(tmp_path / "scan.nii.gz"))
    (labels,) = opened(viewer, str(tmp_path / name))

    assert isinstance(labels, Labels)
    np.testing.assert_array_equal(labels.data, mask.array)
    np.testing.assert_allclose(labels.extent.world, image.extent.world, atol=1e-6)
    assert labels.units == image.units


def test_scan_named_like_an_annotation_stays_an_image(viewer, scan, tmp_path):
    write_volume(scan, tmp_path / "before_segmentation.nii.gz")

    (layer,) = opened(viewer, str(tmp_path / "before_segmentation.nii.gz"))

    assert isinstance(layer, Image)


def test_mask_without_a_telling_name_stays_an_image(viewer, mask, tmp_path):
    write_mask(mask, tmp_path / "thing.nii.gz")

    (layer,) = opened(viewer, str(tmp_path / "thing.nii.gz"))

    assert isinstance(layer, Image)


def test_mask_picture_of_0_and_255_becomes_label_1(viewer, mask, tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    Picture.fromarray(mask.array[1] * 255).save(folder / "frame1.png")

    (layer,) = opened(viewer, str(folder / "frame1.png"))

    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, mask.array[1:2])


def test_several_labels_are_shown_as_they_are(viewer, mask, tmp_path):
    array = mask.array * 2
    array[0, 0, 0] = 7
    write_mask(mask.like(array), tmp_path / "labels.nii.gz")

    (layer,) = opened(viewer, str(tmp_path / "labels.nii.gz"))

    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, array)


def test_undecided_pixels_are_kept(viewer, mask, tmp_path):
    array = mask.array.copy()
    array[2] = 255
    write_mask(mask.like(array), tmp_path / "capsule.nii.gz")

    (layer,) = opened(viewer, str(tmp_path / "capsule.nii.gz"))

    np.testing.assert_array_equal(layer.data, array)


def test_segments_of_slicer_carry_their_names(viewer, mask, tmp_path):
    write_mask(mask, tmp_path / "gland.seg.nrrd")

    (layer,) = opened(viewer, str(tmp_path / "gland.seg.nrrd"))

    assert layer.name == "gland"
    assert list(layer.features["name"]) == ["Capsule"]


def test_dicom_segmentation_lies_over_its_scan(viewer, tmp_path):
    """A scan is cut to its tissue, and so is what was drawn on it."""
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 60), np.uint8)
    tissue = region((5, 34), (10, 49), cm=(0.02, 0.03))
    save(dataset(frames, regions=[tissue]), tmp_path / "scan.dcm")
    volume = read_volume(tmp_path / "scan.dcm")
    array = np.zeros(volume.shape, np.uint8)
    array[1, 4:20, 5:30] = 1
    made = {"model": "microus", "model_version": "3"}
    write_dicom_seg(
        volume.like(array), tmp_path / "scan.dcm", tmp_path / "x.dcm", provenance=made
    )

    (image,) = opened(viewer, str(tmp_path / "scan.dcm"))
    (layer,) = opened(viewer, str(tmp_path / "x.dcm"))

    assert isinstance(layer, Labels)
    np.testing.assert_array_equal(layer.data, array)
    np.testing.assert_allclose(layer.extent.world, image.extent.world)
    assert layer.units == image.units
    assert list(layer.features["name"]) == ["Prostate"]
    assert layer.metadata[METADATA_KEY]["provenance"]["model"] == "microus"


def test_provenance_comes_from_the_sidecar(viewer, mask, tmp_path):
    made = {"model": "small", "version": "1.2"}
    write_mask(mask, tmp_path / "capsule.nii.gz", provenance=made)

    (layer,) = opened(viewer, str(tmp_path / "capsule.nii.gz"))

    assert layer.metadata[METADATA_KEY]["provenance"] == made


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_picture_becomes_one_frame_in_pixels(viewer, scan, tmp_path, suffix):
    Picture.fromarray(scan.array[0]).save(tmp_path / f"frame{suffix}")

    (layer,) = opened(viewer, str(tmp_path / f"frame{suffix}"))

    np.testing.assert_array_equal(layer.data, scan.array[:1])
    assert [str(unit) for unit in layer.units] == ["pixel"] * 3


def test_folder_of_frames_becomes_one_scan_in_natural_order(viewer, scan, tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    for number, frame in zip((2, 10, 1), scan.array[[1, 2, 0]], strict=True):
        Picture.fromarray(frame).save(folder / f"frame{number}.png")

    (layer,) = opened(viewer, str(folder))

    assert layer.name == "sweep"
    np.testing.assert_array_equal(layer.data, scan.array)


def test_pictures_opened_as_a_stack_become_one_scan(viewer, scan, tmp_path):
    paths = [str(tmp_path / f"frame{number}.png") for number in (10, 1, 2)]
    for path, frame in zip(paths, scan.array[[2, 0, 1]], strict=True):
        Picture.fromarray(frame).save(path)

    (layer,) = opened(viewer, paths)

    np.testing.assert_array_equal(layer.data, scan.array)


def test_colour_is_reported_in_a_notification(viewer, tmp_path):
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[..., 2] = 200
    Picture.fromarray(pixels).save(tmp_path / "doppler.png")
    before = len(notification_manager.records)

    (layer,) = opened(viewer, str(tmp_path / "doppler.png"))

    stated = [record.message for record in notification_manager.records[before:]]
    assert stated == ["doppler: Colour image converted to greyscale."]
    assert layer.data.max() == 23  # 0.114 * 200, rounded


def test_other_files_are_left_to_other_readers(tmp_path):
    assert get_reader(str(tmp_path / "points.csv")) is None
    assert get_reader([str(tmp_path / "a.png"), str(tmp_path / "b.csv")]) is None
    (tmp_path / "image.zarr").mkdir()
    assert get_reader(str(tmp_path / "image.zarr")) is None


def test_folder_of_no_frames_is_reported_in_one_sentence(viewer, tmp_path):
    with pytest.raises(InputError, match="There are no pictures and no DICOM files"):
        opened(viewer, str(tmp_path))


def test_reader_that_was_chosen_for_good_states_its_error(
    viewer, tmp_path, monkeypatch
):
    (tmp_path / "a.nii.gz").touch()
    monkeypatch.setattr(
        "napari_microus.widgets._shared.reading.get_preferred_reader",
        lambda path: "napari-microus",
    )
    before = len(notification_manager.records)

    with pytest.raises(InputError):
        opened(viewer, str(tmp_path / "a.nii.gz"))

    (stated,) = notification_manager.records[before:]
    assert "is empty" in stated.message


@pytest.mark.parametrize(
    "file",
    [
        "05_mask_tiff_colour/invlut_imagej8.tif",
        "05_mask_tiff_colour/lut_white_bg.tif",
        "06_mask_alpha/la.png",
        "12_mask_slope/float_saved_as_uint8.nii.gz",
    ],
)
def test_annotation_is_opened_with_the_values_that_are_stored(file, tmp_path):
    """The object has 331 pixels in a frame; see tests/data/cases."""
    source = Path(__file__).parent / "data" / "cases" / file
    path = tmp_path / f"mask_{source.name}"
    path.write_bytes(source.read_bytes())
    ((data, _, kind),) = read_layers(str(path))
    assert kind == "labels"
    assert int((data == 1).sum()) == 331 * len(data)
