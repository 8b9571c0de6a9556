import json

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from napari.layers import Image, Labels

from napari_microus._reader import read_layers
from napari_microus._writer import write_image, write_labels
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import read_volume, write_volume
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import (
    METADATA_KEY,
    derived_metadata,
    geometry,
    layer_arguments,
)

SUFFIXES = [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"]


def turned() -> np.ndarray:
    """Oblique affine of orthogonal axes, as ITK wants them in a NIfTI."""
    a, b = np.deg2rad([25, -40])
    about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    about_z = [[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(about_z) @ about_x @ np.diag([0.05, 0.1, 1.2])
    affine[:3, 3] = [1 / 3, -20.25, 7]
    return affine.astype(np.float32).astype(np.float64)


@pytest.fixture
def image(tmp_path) -> Image:
    """A scan read from a file."""
    noise = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)
    write_volume(Volume(noise, turned()), tmp_path / "in" / "scan.nii")
    ((data, arguments, _),) = read_layers(str(tmp_path / "in" / "scan.nii"))
    return Image(data, **arguments)


@pytest.fixture
def labels(image) -> Labels:
    """A capsule over the scan, as the docks make it."""
    array = np.zeros((3, 20, 30), np.uint8)
    array[1, 5:15, 5:20] = 1
    made = {"model": "small", "date": "2026-01-02", "settings": {"threshold": 0.5}}
    return Labels(
        array, metadata=derived_metadata(image, provenance=made), **geometry(image)
    )


def save(layer: Labels | Image, path: object) -> list[str]:
    write = write_labels if isinstance(layer, Labels) else write_image
    data, attributes, _ = layer.as_layer_data_tuple()
    return write(str(path), data, attributes)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_mask_is_saved_on_the_grid_of_its_scan(tmp_path, labels, suffix):
    assert save(labels, tmp_path / f"a{suffix}") == [str(tmp_path / f"a{suffix}")]

    volume = read_volume(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(volume.array, labels.data)
    np.testing.assert_allclose(volume.affine, turned(), atol=1e-14)
    assert volume.shares_grid(read_volume(tmp_path / "in" / "scan.nii"))


def test_nibabel_and_simpleitk_find_the_mask_on_the_scan(tmp_path, labels):
    save(labels, tmp_path / "a.nii.gz")

    scan, mask = nib.load(tmp_path / "in" / "scan.nii"), nib.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(mask.affine, scan.affine)
    assert mask.get_data_dtype() == np.uint8
    scan, mask = (
        sitk.ReadImage(str(tmp_path / name)) for name in ("in/scan.nii", "a.nii.gz")
    )
    assert mask.GetOrigin() == pytest.approx(scan.GetOrigin())
    assert mask.GetDirection() == pytest.approx(scan.GetDirection())
    assert mask.GetSpacing() == pytest.approx(scan.GetSpacing())
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), labels.data)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_moved_and_turned_layer_is_saved_where_it_lies(tmp_path, labels):
    labels.translate = (2.4, 0.0, 0.5)
    labels.rotate = (0, 0, 30)  # within the plane (z, y) of napari's world
    save(labels, tmp_path / "a.nrrd")

    # A voxel keeps its place relative to napari's world as the scan lies in it:
    # world (z, y, x) in mm is voxel (x / 0.05, y / 0.1, z / 1.2) of the scan.
    world = np.array(labels.data_to_world((1, 7, 11)))
    expected = turned() @ [*(world[::-1] / read_spacing()), 1]
    found = read_volume(tmp_path / "a.nrrd").affine @ [11, 7, 1, 1]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def read_spacing() -> np.ndarray:
    return np.sqrt((turned()[:3, :3] ** 2).sum(axis=0))


def test_provenance_is_written_beside(tmp_path, labels):
    save(labels, tmp_path / "capsule.nii.gz")

    stated = json.loads((tmp_path / "capsule.json").read_text(encoding="utf-8"))
    assert stated["model"] == "small"
    assert stated["date"] == "2026-01-02"
    assert stated["settings"] == {"threshold": 0.5}


def test_layer_made_by_napari_lies_as_in_dicom(tmp_path):
    layer = Labels(np.ones((2, 3, 4), np.uint8), scale=(1, 0.2, 0.1), units=("mm",) * 3)
    save(layer, tmp_path / "a.nii")

    affine = nib.load(tmp_path / "a.nii").affine
    np.testing.assert_allclose(affine, np.diag([-0.1, -0.2, 1, 1]), atol=1e-8)
    assert not (tmp_path / "a.json").exists()


def test_new_labels_of_napari_are_saved_on_the_scan_they_lie_over(
    tmp_path, image, monkeypatch
):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    viewer.add_layer(image)
    viewer.layers.selection.active = image
    viewer._new_labels()  # what the button does
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    drawn = viewer.layers[-1]
    assert METADATA_KEY not in drawn.metadata
    save(drawn, tmp_path / "drawn.nii")

    np.testing.assert_allclose(
        nib.load(tmp_path / "drawn.nii").affine, turned(), atol=1e-9
    )


def test_undecided_pixels_stay_255(tmp_path, labels):
    labels.data_setitem((np.array([0]), np.array([0]), np.array([0])), 255)
    save(labels, tmp_path / "a.nii.gz")

    assert nib.load(tmp_path / "a.nii.gz").get_fdata().max() == 255


def test_many_labels_are_not_cut_to_uint8(tmp_path):
    data = np.array([[[0, 3, 70000]]])
    save(Labels(data), tmp_path / "a.nii.gz")

    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, data)


def test_image_is_saved_with_its_values_and_geometry(tmp_path, image):
    save(image, tmp_path / "a.nii.gz")

    volume = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, image.data)
    assert volume.array.dtype == np.uint8
    np.testing.assert_array_equal(volume.affine, turned())


def test_picture_without_a_pixel_size_stays_without_one(tmp_path):
    frame = Volume.from_spacing(np.ones((1, 4, 5), np.uint8), (1, 1, 1))
    frame = Volume(frame.array, frame.affine, has_geometry=False)
    save(Labels(frame.array, **layer_arguments(frame)), tmp_path / "a.nii.gz")

    assert not read_volume(tmp_path / "a.nii.gz").has_geometry


def test_single_picture_is_saved_as_one_frame(tmp_path):
    save(Labels(np.ones((4, 5), np.uint8)), tmp_path / "a.nii.gz")

    assert nib.load(tmp_path / "a.nii.gz").shape == (5, 4, 1)


def test_named_file_is_replaced_because_napari_asked(tmp_path, labels):
    save(labels, tmp_path / "a.nii.gz")
    labels.data = np.zeros_like(labels.data)
    save(labels, tmp_path / "a.nii.gz")

    assert read_volume(tmp_path / "a.nii.gz").array.max() == 0


def test_name_without_an_ending_never_replaces_a_file(tmp_path, labels):
    assert save(labels, tmp_path / "a") == [str(tmp_path / "a.nii.gz")]
    before = (tmp_path / "a.nii.gz").read_bytes()
    labels.data = np.zeros_like(labels.data)

    with pytest.raises(OutputError, match="already exists"):
        save(labels, tmp_path / "a")
    assert (tmp_path / "a.nii.gz").read_bytes() == before


def test_layer_over_time_is_refused_and_nothing_is_written(tmp_path):
    layer = Labels(np.ones((2, 3, 4, 5), np.uint8))

    with pytest.raises(InputError, match="Choose a layer of one scan"):
        save(layer, tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_opens_and_saves_in_a_real_viewer(make_napari_viewer, tmp_path, image):
    viewer = make_napari_viewer()
    (scan,) = viewer.open(str(tmp_path / "in" / "scan.nii"), plugin="napari-microus")
    viewer._new_labels()
    drawn = viewer.layers[-1]
    drawn.selected_label = 1
    drawn.brush_size = 4
    drawn.paint((1, 8, 9), 1)

    assert drawn.save(str(tmp_path / "drawn.nii.gz")) == [
        str(tmp_path / "drawn.nii.gz")
    ]
    assert scan.save(str(tmp_path / "copy.nii")) == [str(tmp_path / "copy.nii")]
    (again,) = viewer.open(str(tmp_path / "drawn.nii.gz"), plugin="napari-microus")

    np.testing.assert_array_equal(again.data, drawn.data)
    assert again.data.sum() > 0
    np.testing.assert_allclose(
        nib.load(tmp_path / "drawn.nii.gz").affine, turned(), atol=1e-9
    )
    np.testing.assert_array_equal(nib.load(tmp_path / "copy.nii").affine, turned())
    np.testing.assert_array_equal(read_volume(tmp_path / "copy.nii").array, image.data)


# --- to which scan a layer belongs -------------------------------------------------
def scan_at(origin) -> Volume:
    affine = np.diag([-0.05, -0.04, 0.5, 1.0])
    affine[:3, 3] = origin
    return Volume(np.arange(8000, dtype=np.uint16).reshape(4, 40, 50), affine)


@pytest.fixture
def two_scans(monkeypatch):
    """A viewer with scans A and B that lie at one place of napari's world."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for name, origin in (("A", (10, 20, -5)), ("B", (50, 60, 70))):
        volume = scan_at(origin)
        viewer.add_image(volume.array, name=name, **layer_arguments(volume))
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    return viewer


@pytest.mark.parametrize(("name", "origin"), [("A", (10, 20, -5)), ("B", (50, 60, 70))])
def test_new_labels_belong_to_the_scan_that_was_selected(
    two_scans, tmp_path, name, origin
):
    from napari_microus.widgets._shared.belonging import remember_scans

    remember_scans(two_scans)
    two_scans.layers.selection.active = two_scans.layers[name]
    two_scans._new_labels()
    made = two_scans.layers[-1]
    made.data[0, 5, 5] = 1
    two_scans.layers.selection.active = two_scans.layers["A"]
    save(made, tmp_path / "m.nii.gz")
    np.testing.assert_allclose(nib.load(tmp_path / "m.nii.gz").affine[:3, 3], origin)


def test_layer_that_could_belong_to_two_scans_is_saved_with_a_word(
    two_scans, tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    two_scans._new_labels()
    save(two_scans.layers[-1], tmp_path / "m.nii.gz")
    assert "saved over 'B'" in said[0]
    affine = nib.load(tmp_path / "m.nii.gz").affine
    np.testing.assert_allclose(affine[:3, 3], (50, 60, 70))


def test_mask_of_a_layer_keeps_the_forms_of_its_scans_file(tmp_path):
    header_of = nib.Nifti1Image(np.zeros((30, 20, 3), np.uint8), None)
    one, two = np.diag([-0.05, -0.04, 0.5, 1]), np.diag([0.05, -0.04, 0.5, 1])
    header_of.header.set_qform(one, code=1)
    header_of.header.set_sform(two, code=2)
    header_of.header.set_xyzt_units("mm")
    nib.save(header_of, tmp_path / "scan.nii.gz")
    ((data, arguments, _),) = read_layers(str(tmp_path / "scan.nii.gz"))
    scan = Image(data, **arguments)
    mask = Labels(
        np.ones(data.shape, np.uint8), metadata=derived_metadata(scan), **geometry(scan)
    )
    save(mask, tmp_path / "m.nii.gz")
    header = nib.load(tmp_path / "m.nii.gz").header
    assert (header["qform_code"], header["sform_code"]) == (1, 2)
    np.testing.assert_allclose(header.get_qform(), one, atol=1e-6)
    np.testing.assert_allclose(header.get_sform(), two, atol=1e-6)
