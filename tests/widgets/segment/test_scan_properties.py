import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from PIL import Image

from napari_microus._reader import read_layers
from napari_microus._writer import write_labels
from napari_microus.core.io import (
    ScanProperties,
    read_volume,
    write_scan_properties,
)
from napari_microus.widgets._shared.layers import volume_from_layer
from napari_microus.widgets.segment.dock import SegmentWidget
from napari_microus.widgets.segment.ruler import find_ruler

SHAPE = (5, 40, 60)


@pytest.fixture
def folder(tmp_path):
    """Five pictures without a size."""
    folder = tmp_path / "exported"
    folder.mkdir()
    frames = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"f{number}.png")
    return folder


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer):
    dock = SegmentWidget(PublicOnlyProxy(viewer), list_models=lambda: [])
    qtbot.addWidget(dock)
    return dock


@pytest.fixture
def image(dock, viewer, folder):
    return opened(viewer, folder)


@pytest.fixture
def panel(dock, image):
    return dock.properties


def opened(viewer, path):
    ((data, arguments, kind),) = read_layers(str(path))
    return getattr(viewer, f"add_{kind}")(data, **arguments)


def choose(box, data):
    box.setCurrentIndex(box.findData(data))


def drawn(viewer, image):
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 10:30, 20:40] = 1
    arguments = {"scale": image.scale, "units": image.units}
    return viewer.add_labels(mask, name="mask", **arguments)


def test_a_scan_without_a_size_is_asked_about_once(dock, viewer, panel, folder):
    assert "size not known" in panel.summary.text()
    assert panel.section.isExpanded()
    panel.pixels_button.click()
    assert not panel.section.isExpanded()
    viewer.add_image(np.zeros(SHAPE), scale=(1, 0.1, 0.1), units="mm")
    assert "0.1 × 0.1 mm" in panel.summary.text()
    viewer.layers.pop()
    assert not panel.section.isExpanded()


def test_the_size_is_taken_by_all_that_lies_over_the_scan(panel, viewer, image):
    mask = drawn(viewer, image)
    other = viewer.add_labels(np.zeros((2, 8, 8), int))
    viewer.dims.set_current_step(0, 3)
    panel.height.setValue(0.125)
    panel.apply_button.click()
    assert "the scan and 1 more layers" in panel.message.text()
    for layer in (image, mask):
        assert layer.scale[1:] == pytest.approx((0.125, 0.125))
        assert {str(unit) for unit in layer.units} == {"millimeter"}
    assert tuple(other.scale) == (1, 1, 1)
    assert viewer.dims.current_step[0] == 3
    volume = volume_from_layer(mask)
    assert volume.has_geometry
    assert not volume.knows_frame_distance
    np.testing.assert_allclose(volume.affine, volume_from_layer(image).affine)


def test_it_is_kept_and_taken_when_scan_and_mask_are_opened_again(
    panel, viewer, image, folder, tmp_path
):
    early = drawn(viewer, image)
    path = folder / "early.nii.gz"  # saved before anybody stated a size
    write_labels(str(path), *early.as_layer_data_tuple()[:2])
    panel.height.setValue(0.125)
    choose(panel.sweep, "parallel")
    panel.distance.setValue(2)
    panel.apply_button.click()
    assert "Kept in scan.json" in panel.message.text()
    for again in (read_volume(folder), read_volume(path)):
        assert again.spacing_mm == pytest.approx((2, 0.125, 0.125))
        assert again.has_geometry
        assert again.knows_frame_distance


def test_a_mask_knows_its_scan_by_name(tmp_path):
    scan = tmp_path / "p7.png"
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(scan)
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "p8.png")
    for name in ("p7", "p8"):
        made = {"task": "segment", "image": name}
        mask = np.zeros((1, 8, 9), np.uint8)
        write_labels(
            str(tmp_path / f"{name} mine.nii"),
            mask,
            {"metadata": {"napari_microus": {"provenance": made}}},
        )
    stated = {"format": "napari-microus scan properties", "version": 1}
    stated["pixel_mm"] = [0.2, 0.2]
    (tmp_path / "p7.scan.json").write_text(json.dumps(stated), encoding="utf-8")
    assert read_volume(tmp_path / "p7 mine.nii").spacing_mm[1:] == (0.2, 0.2)
    assert not read_volume(tmp_path / "p8 mine.nii").has_geometry


def test_the_ruler_gives_the_pixel_size(panel, viewer, image):
    panel.ruler_button.click()
    ruler = viewer.layers["ruler"]
    ruler.data = np.array([[0, 5, 30], [0, 35, 30]])
    np.testing.assert_array_equal(
        viewer.layers["ruler line"].data, [[[0, 5, 30], [0, 30, 0]]]
    )
    panel.take_button.click()
    assert "is not above 0 mm" in panel.message.text()
    panel.known.setValue(15)
    panel.take_button.click()
    assert panel.height.value() == pytest.approx(0.5)  # 15 mm over 30 rows
    panel.apply_button.click()
    assert image.scale[1:] == pytest.approx((0.5, 0.5))
    assert ruler.scale[1:] == pytest.approx((0.5, 0.5))
    viewer.layers.remove(ruler)
    assert "ruler line" not in viewer.layers


def test_a_name_in_the_picture_is_blanked_out_and_shown_again(panel, image, folder):
    before = image.data.copy()
    panel.ruler_button.click()
    ruler = find_ruler(panel._viewer)
    ruler.data = [[2, 3.4, 50.6], [2, 0.2, 20.7]]  # opposite corners, in any order

    panel.blank_button.click()

    assert "Rows 0:4 and columns 21:52 are black" in panel.message.text()
    assert not image.data[:, :4, 21:52].any()
    kept = np.ones(SHAPE, bool)
    kept[:, :4, 21:52] = False
    np.testing.assert_array_equal(image.data[kept], before[kept])
    np.testing.assert_array_equal(read_volume(folder).array, image.data)
    panel.unblank_button.click()
    np.testing.assert_array_equal(image.data, before)
    np.testing.assert_array_equal(read_volume(folder).array, before)
    ruler.data = [[2, -9, 5], [2, -3, 30]]
    panel.blank_button.click()
    assert "lies beside the picture" in panel.message.text()


def test_without_a_ruler_there_is_nothing_to_take(panel, image):
    panel.known.setValue(15)
    panel.take_button.click()
    assert "No ruler yet" in panel.message.text()


def test_a_turned_sweep_gives_a_volume_by_its_method(qtbot, dock, panel, viewer, image):
    panel.height.setValue(0.5)
    choose(panel.sweep, "rotational")
    choose(panel.axis, "columns")
    panel.axis_at.setValue(-10)
    panel.angles.setText("-20:20")
    panel.apply_button.click()
    assert "turned by 40°" in panel.summary.text()
    mask = drawn(viewer, image)
    dock.readout.watch(mask)
    # Rows 10 to 29: area 20 x 20 x 0.25 = 100 mm2, their centre 19.5 x 0.5 + 10 mm
    # from the axis; 40 degrees are 0.698132 of it.
    ml = 100 * (19.5 * 0.5 + 10) * np.deg2rad(40) / 1000
    qtbot.waitUntil(lambda: dock.volume.text() == f"{ml:.2f} mL")
    assert "Pappus" in dock.size_box.method.text()
    dock.size_box.psa.setValue(4)
    assert dock.size_box.density.text().startswith(f"{4 / ml:.3f}")


def test_no_volume_without_a_known_sweep_and_the_reason_is_reported(
    qtbot, dock, panel, viewer, image
):
    panel.height.setValue(0.5)
    panel.apply_button.click()
    dock.readout.watch(drawn(viewer, image))
    qtbot.waitUntil(lambda: dock.volume.text() == "–")
    assert "neither the distance of the frames" in dock.size_box.method.text()


def test_an_ellipsoid_is_measured_with_the_ruler(dock, panel, viewer, image):
    box = dock.size_box
    panel.ruler_button.click()
    viewer.layers["ruler"].data = np.array([[0, 5, 30], [0, 35, 30]])
    box._measure(box.diameters[0])
    assert "State the pixel size" in box.ellipsoid.text()
    panel.height.setValue(1)
    panel.apply_button.click()
    box._measure(box.diameters[0])
    assert box.diameters[0].value() == 30
    box.diameters[1].setValue(40)
    assert box.ellipsoid.text() == "–"
    box.diameters[2].setValue(50)
    assert box.ellipsoid.text() == "31.44 mL"  # 0.524 x 3 x 4 x 5


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda p: None, "Nothing was changed"),
        (lambda p: choose(p.runs[0], "left"), "is not complete"),
        (
            lambda p: [
                choose(b, w) for b, w in zip(p.runs, ("left",) * 3, strict=True)
            ],
            "superior or inferior, each once",
        ),
        (
            lambda p: (choose(p.sweep, "rotational"), p.angles.setText("x")),
            "is no list of angles",
        ),
        (
            lambda p: (choose(p.sweep, "rotational"), p.angles.setText("1,2")),
            "2 angles were stated, and the scan has 5 frames",
        ),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(panel, image, folder, act, words):
    act(panel)
    panel.apply_button.click()
    assert words in panel.message.text()
    assert tuple(image.scale) == (1, 1, 1)
    assert not list(folder.glob("*.json"))


def test_a_turned_layer_is_refused(panel, viewer, image):
    mask = drawn(viewer, image)
    mask.rotate = (0, 0, 10)
    panel.height.setValue(0.5)
    panel.apply_button.click()
    assert "is turned or sheared" in panel.message.text()
    assert tuple(image.scale) == (1, 1, 1)


def test_for_now_only_writes_nothing(panel, image, folder):
    panel.height.setValue(0.5)
    choose(panel.keep, "")
    panel.apply_button.click()
    assert image.scale[1] == 0.5
    assert not list(folder.glob("*.json"))


def test_orientation_is_reported_and_shown_again(panel, image):
    for box, way in zip(panel.runs, ("right", "posterior", "superior"), strict=True):
        choose(box, way)
    panel.height.setValue(0.5)
    panel.apply_button.click()
    volume = volume_from_layer(image)
    assert volume.is_oriented
    np.testing.assert_allclose(volume.affine[:3, 0], (0.5, 0, 0))  # right, in RAS
    assert panel.runs[1].currentData() == "posterior"


def test_what_is_kept_is_taken_by_a_picture_that_napari_itself_opened(
    dock, viewer, folder
):
    picture = folder / "f0.png"
    stated = ScanProperties((0.2, 0.1), blank=((0, 3, 0, 9),))
    write_scan_properties(picture, stated)

    (image,) = viewer.open(str(picture), plugin="napari")

    assert image.scale.tolist() == pytest.approx([0.2, 0.1])
    assert not image.data[:3, :9].any()
    assert "were taken from what is kept" in dock.properties.message.text()
    assert volume_from_layer(image).spacing_mm[1:] == pytest.approx((0.2, 0.1))
