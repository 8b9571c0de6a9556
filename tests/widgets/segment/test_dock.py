import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import QCoreApplication, QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QWidget

import napari_microus
from napari_microus.core.errors import CheckpointError, DeviceError
from napari_microus.core.events import Notice, Progress
from napari_microus.core.library import LoadedModel, ModelInfo
from napari_microus.widgets.segment import SegmentWidget
from napari_microus.widgets.segment.layers import provenance

SHAPE = (4, 20, 30)
SCALE = (2.0, 0.1, 0.2)


def box(shape=SHAPE, value=1):
    """A mask with 6 x 10 pixels set in each frame."""
    mask = np.zeros(shape, np.uint8)
    mask[..., 5:11, 8:18] = value
    return mask


class Predictor:
    """Stands in for `core.predict.predict`, and keeps what it was asked."""

    def __init__(self, mask=box):
        self.mask = mask
        self.calls = []
        self.error = None
        self.hold = None
        self.free = 0  # so many frames come without waiting for `hold`
        self.notices = []

    def __call__(self, model, volume, *, frames=None, **settings):
        self.calls.append({"model": model, "volume": volume, "frames": frames})
        self.calls[-1] |= settings
        wanted = range(len(volume.array)) if frames is None else frames
        wanted = sorted(wanted, key=lambda frame: frame != settings.get("first"))
        out = settings.get("out")
        mask = np.zeros(volume.shape, np.uint8) if out is None else out
        yield Progress(0, len(wanted), "frames", "Segmenting")
        for done, frame in enumerate(wanted, start=1):
            if self.hold is not None and done > self.free:
                self.hold.wait(5)
            if self.error is not None:
                raise self.error
            mask[frame] = self.mask(volume.shape)[frame]
            yield Progress(done, len(wanted), "frames", "Segmenting")
        for words in self.notices:
            yield Notice(words)
        probability = volume.like(mask.astype(np.float16))
        return SimpleNamespace(
            mask=volume.like(mask), probability=probability, uncertainty=probability
        )


class Models:
    """Stands in for the library."""

    def __init__(self, *names):
        self.loads = []
        self.infos = [
            ModelInfo(n, Path("nowhere") / n, config={"version": "7"}) for n in names
        ]

    def list(self):
        return self.infos

    def load(self, name, device):
        self.loads.append((name, device))
        return LoadedModel(None, name, "7", {}, "", {}, "abc")


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(
        np.random.default_rng(0).random(SHAPE),
        name="scan",
        scale=SCALE,
        translate=(7, 1, 2),
        units=("mm", "mm", "mm"),
        axis_labels=("z", "y", "x"),
    )
    return viewer


@pytest.fixture
def predictor():
    return Predictor()


@pytest.fixture
def models():
    return Models("first", "second")


@pytest.fixture
def widget(qtbot, viewer, predictor, models):
    widget = SegmentWidget(
        PublicOnlyProxy(viewer),
        predict=predictor,
        load_model=models.load,
        list_models=models.list,
    )
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def run(qtbot, widget):
    def click():
        assert widget.run_button.isEnabled()
        widget.run_button.click()
        qtbot.waitUntil(lambda: not widget.is_running)

    return click


def choose(widget, frames, first=0, last=0):
    widget.form.frames_box.setCurrentText(frames)
    widget.form.first_frame.setValue(first)
    widget.form.last_frame.setValue(last)


def labels(viewer):
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def test_capsule_lies_exactly_over_the_image(viewer, widget, run):
    run()
    scan, capsule = viewer.layers
    assert capsule.name == "scan capsule"
    np.testing.assert_array_equal(capsule.data, box())
    np.testing.assert_allclose(capsule.extent.world, scan.extent.world)
    assert capsule.units == scan.units
    assert capsule.axis_labels == scan.axis_labels


def test_an_oblique_image_gives_an_oblique_capsule(viewer, widget, run):
    viewer.layers.clear()
    affine = np.eye(4)
    affine[:3, :3] = [[2, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]
    affine[:3, 3] = 3, 4, 5
    scan = viewer.add_image(
        np.random.default_rng(0).random(SHAPE),
        affine=affine,
        rotate=20,
        shear=[0.1] * 3,
    )
    run()
    capsule = viewer.layers[-1]
    for point in ((0, 0, 0), (3, 10, 20)):
        np.testing.assert_allclose(
            capsule.data_to_world(point), scan.data_to_world(point)
        )


def test_capsule_can_be_edited_and_undone(viewer, widget, run):
    run()
    capsule = viewer.layers[-1]
    assert viewer.layers.selection.active is capsule
    assert capsule.selected_label == 1
    assert capsule.contour > 0
    capsule.data_setitem((np.array([0]), np.array([0]), np.array([0])), 1)
    assert capsule.data[0, 0, 0] == 1
    capsule.undo()
    np.testing.assert_array_equal(capsule.data, box())


def test_capsule_remembers_its_making(viewer, widget, run):
    widget.form.model_box.setCurrentText("second")
    run()
    made = viewer.layers[-1].metadata["napari_microus"]["provenance"]
    assert made["model"] == "second"
    assert made["model_version"] == "7"
    assert made["weights_sha256"] == "abc"
    assert made["image"] == "scan"
    assert made["frames"] == "all"
    assert made["settings"] == {
        "largest_component": True,
        "fill_holes": True,
        "flip": False,
        "probe": "top",
        "opening": 0,  # the stand-in model recommends none
        "outline": "raw",
        "min_confidence": 0.0,
        "along_sweep": False,
    }
    assert made["use"] == "not for clinical use"
    assert "T" in made["date"]


def test_a_second_run_never_touches_an_edited_capsule(viewer, widget, run):
    run()
    first = viewer.layers[-1]
    first.data_setitem((np.array([1]), np.array([1]), np.array([1])), 1)
    edited = first.data.copy()
    run()
    assert [layer.name for layer in labels(viewer)] == [
        "scan capsule",
        "scan capsule [1]",
    ]
    np.testing.assert_array_equal(first.data, edited)


def test_current_frame_mends_only_that_frame_and_can_be_undone(
    viewer, widget, run, predictor
):
    run()
    capsule = viewer.layers[-1]
    for frame in (1, 2):  # two edits: one in the frame to be drawn again, one outside
        at = (np.array([frame]), np.array([0]), np.array([0]))
        capsule.data_setitem(at, 1)
    edited = capsule.data.copy()
    predictor.mask = lambda shape: 1 - box(shape)
    choose(widget, "Current frame")
    viewer.dims.set_current_step(0, 2)

    run()

    assert labels(viewer) == [capsule]
    assert predictor.calls[-1]["frames"] == (2,)
    np.testing.assert_array_equal(capsule.data[2], 1 - box()[2])
    np.testing.assert_array_equal(capsule.data[[0, 1, 3]], edited[[0, 1, 3]])
    mended = capsule.metadata["napari_microus"]["provenance"]["mended"]
    assert [entry["frames"] for entry in mended] == [[2]]
    capsule.undo()
    np.testing.assert_array_equal(capsule.data, edited)


def test_a_range_mends_its_frames_in_one_step(viewer, widget, run, predictor):
    run()
    capsule = viewer.layers[-1]
    predictor.mask = lambda shape: 1 - box(shape)
    choose(widget, "Range of frames", 3, 2)  # either end may come first
    run()
    np.testing.assert_array_equal(capsule.data[:2], box()[:2])
    np.testing.assert_array_equal(capsule.data[2:], 1 - box()[2:])
    capsule.undo()
    np.testing.assert_array_equal(capsule.data, box())


def test_one_frame_without_a_capsule_layer_makes_one(viewer, widget, run):
    choose(widget, "Current frame")
    viewer.dims.set_current_step(0, 3)
    run()
    [capsule] = labels(viewer)
    assert capsule.data[3].any()
    assert not capsule.data[:3].any()


def test_one_frame_leaves_layers_that_are_not_ours_alone(viewer, widget, run):
    drawn = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="scan capsule")
    choose(widget, "Current frame")
    run()
    assert not drawn.data.any()
    assert len(labels(viewer)) == 2


def test_one_frame_mends_the_capsule_of_its_own_image(viewer, widget, run):
    run()
    first = viewer.layers[-1]
    other = viewer.add_image(np.random.default_rng(1).random(SHAPE), name="other")
    viewer.layers.selection.active = other
    choose(widget, "Current frame")
    run()
    np.testing.assert_array_equal(first.data, box())
    assert viewer.layers[-1].name == "other capsule"


def test_a_flat_image_gives_flat_labels(viewer, widget, run, predictor):
    flat = viewer.add_image(np.random.default_rng(0).random((20, 30)), name="flat")
    viewer.layers.selection.active = flat
    for frames in ("All frames", "Current frame"):
        choose(widget, frames)
        run()
    [capsule] = labels(viewer)  # the second run mended the first's
    assert capsule.data.shape == (20, 30)
    assert predictor.calls[0]["volume"].shape == (1, 20, 30)
    np.testing.assert_array_equal(capsule.data, box((20, 30)))


def test_a_colour_image_becomes_grey(viewer, widget, run, predictor):
    grey = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    rgb = viewer.add_image(np.stack([grey] * 3, -1), rgb=True, name="rgb")
    viewer.layers.selection.active = rgb
    run()
    np.testing.assert_array_equal(predictor.calls[0]["volume"].array[0], grey)
    assert viewer.layers[-1].data.shape == (20, 30)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([np.zeros((40, 60)), np.zeros((20, 30))], "several resolutions"),
        (np.zeros((2, 3, 20, 30)), "is more than one scan"),
    ],
)
def test_images_that_are_no_scan_are_refused_in_a_sentence(viewer, widget, data, words):
    layer = viewer.add_image(data, multiscale=isinstance(data, list), name="odd")
    viewer.layers.selection.active = layer
    assert not widget.run_button.isEnabled()
    assert words in widget.message.text()
    viewer.layers.selection.active = viewer.layers["scan"]
    assert widget.run_button.isEnabled()
    assert widget.message.text() == ""


def test_without_an_image_it_asks_for_one(viewer, widget):
    viewer.layers.clear()
    assert not widget.run_button.isEnabled()
    assert not widget.empty.isHidden()
    assert widget.empty.words.text() == "No scan open. Open a scan to begin."
    assert widget.empty.buttons == [
        *(widget.open_button, widget.folder_button, widget.sample_button)
    ]


def test_without_a_model_it_says_where_to_get_one(viewer, qtbot, predictor):
    widget = SegmentWidget(viewer, predict=predictor, list_models=list)
    qtbot.addWidget(widget)
    assert not widget.run_button.isEnabled()
    assert "There is no model" in widget.message.text()


def test_choice_of_images_follows_the_layers(viewer, widget):
    box = widget.form.image_box
    other = viewer.add_image(np.random.default_rng(0).random(SHAPE), name="other")
    viewer.add_labels(np.zeros(SHAPE, int))
    assert [box.itemText(i) for i in range(box.count())] == ["scan", "other"]
    other.name = "renamed"
    assert box.itemText(1) == "renamed"
    viewer.layers.selection.active = other
    assert widget.form.image is other
    viewer.layers.remove(other)
    assert box.count() == 1
    assert widget.form.image is viewer.layers["scan"]


def test_a_broken_model_is_greyed_with_its_problem(viewer, qtbot, predictor):
    models = Models("sound")
    models.infos.insert(0, ModelInfo("broken", Path("x"), problem="It must be whole."))
    widget = SegmentWidget(viewer, predict=predictor, list_models=models.list)
    qtbot.addWidget(widget)
    item = widget.form.model_box.model().item(0)
    assert not item.isEnabled()
    assert item.toolTip() == "It must be whole."
    assert widget.form.model.name == "sound"


def test_a_freshly_trained_model_can_be_chosen(widget, models):
    models.infos.append(ModelInfo("mine", Path("x")))
    widget.form.refresh_models(select="mine")
    assert widget.form.model.name == "mine"


def test_opening_the_choice_of_models_reads_the_library_again(widget, models):
    box = widget.form.model_box
    box.setCurrentText("second")
    models.infos.append(ModelInfo("trained meanwhile", Path("x")))
    box.showPopup()
    box.hidePopup()
    assert box.itemText(2) == "trained meanwhile"
    assert widget.form.model.name == "second"


def test_absent_devices_are_greyed_with_the_reason(widget):
    box = widget.form.device_box
    items = {box.itemData(i): box.model().item(i) for i in range(box.count())}
    assert list(items) == ["auto", "cuda", "mps", "cpu"]
    assert items["auto"].isEnabled()
    assert items["cpu"].isEnabled()
    for item in items.values():
        assert item.isEnabled() or item.toolTip().endswith(".")


def test_choices_reach_the_prediction(widget, run, predictor, models):
    widget.form.device_box.setCurrentIndex(widget.form.device_box.findData("cpu"))
    widget.form.flip.setChecked(True)
    widget.form.holes.setChecked(False)
    run()
    call = predictor.calls[0]
    assert (call["device"], call["flip"], call["fill_holes"]) == ("cpu", True, False)
    assert models.loads == [("first", "cpu")]


def test_a_model_is_loaded_once(widget, run, models):
    run()
    run()
    assert len(models.loads) == 1
    widget.form.model_box.setCurrentText("second")
    run()
    assert [name for name, _ in models.loads] == ["first", "second"]


def test_maps_lie_over_the_image_below_the_capsule(viewer, widget, run):
    widget.form.probability.setChecked(True)
    widget.form.uncertainty.setChecked(True)
    run()
    names = [layer.name for layer in viewer.layers]
    assert names == ["scan", "scan probability", "scan uncertainty", "scan capsule"]
    for layer in viewer.layers[1:3]:
        assert isinstance(layer, Image)
        np.testing.assert_allclose(layer.extent.world, viewer.layers[0].extent.world)
    assert viewer.layers.selection.active is viewer.layers["scan capsule"]


def test_read_outs_are_areas_and_volumes_of_the_grid(viewer, widget, run, qtbot):
    run()
    # 60 pixels of 0.1 x 0.2 mm; four frames 2 mm apart: 4 * 60 * 0.04 mm3
    qtbot.waitUntil(lambda: widget.volume.text() == "0.01 mL")
    assert widget.area.text() == "1.2 mm²"


def test_read_outs_follow_edits_undo_and_the_frame(viewer, widget, run, qtbot):
    run()
    viewer.dims.set_current_step(0, 1)
    capsule = viewer.layers[-1]
    everywhere = np.nonzero(np.ones(SHAPE))
    capsule.data_setitem(everywhere, 1)
    # all 600 pixels; 4 * 600 * 0.04 mm3 = 96 mm3
    qtbot.waitUntil(lambda: widget.area.text() == "12.0 mm²")
    qtbot.waitUntil(lambda: widget.volume.text() == "0.10 mL")
    capsule.undo()
    qtbot.waitUntil(lambda: widget.area.text() == "1.2 mm²")
    qtbot.waitUntil(lambda: widget.volume.text() == "0.01 mL")


def test_undecided_pixels_are_no_prostate(viewer, widget, run, qtbot):
    run()
    capsule = viewer.layers[-1]
    undecided = np.zeros(SHAPE, bool)
    undecided[:2, 8:, :] = True  # half of the capsule's 60 pixels in two frames
    capsule.data_setitem(np.nonzero(undecided), 255)
    # 30 pixels of 0.1 x 0.2 mm; and two frames whole
    qtbot.waitUntil(lambda: widget.area.text() == "0.6 mm²")
    viewer.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: widget.area.text() == "1.2 mm²")


def test_a_mask_of_0_and_255_is_measured(viewer, widget, run, qtbot):
    run()
    capsule = viewer.layers[-1]
    drawn = np.nonzero(capsule.data)
    capsule.data_setitem(drawn, 255)
    qtbot.wait(100)
    assert widget.area.text() == "1.2 mm²"


def test_painting_changes_the_read_out(viewer, widget, run, qtbot):
    viewer.layers["scan"].scale = (1, 1, 1)
    run()
    viewer.dims.set_current_step(0, 0)
    capsule = viewer.layers[-1]
    capsule.contour = 0
    capsule.brush_size = 1
    capsule.paint((0, 0, 0), 1)
    # 61 pixels of 1 x 1 mm
    qtbot.waitUntil(lambda: widget.area.text() == "61.0 mm²")


def test_read_outs_are_pixels_where_the_size_is_unknown(viewer, widget, run, qtbot):
    viewer.layers.clear()
    viewer.add_image(np.random.default_rng(0).random(SHAPE), name="picture")
    run()
    assert widget.area.text() == "60 pixels"
    qtbot.waitUntil(lambda: "240 voxels – set the pixel size" in widget.volume.text())


def test_a_single_frame_has_no_volume(viewer, widget, run):
    viewer.layers.clear()
    viewer.add_image(
        np.random.default_rng(0).random((20, 30)), scale=(0.1, 0.2), units=("mm", "mm")
    )
    run()
    assert widget.area.text() == "1.2 mm²"
    assert widget.volume.text() == "– (one frame)"


def test_removing_the_capsule_clears_the_read_outs(viewer, widget, run):
    run()
    viewer.layers.pop()
    assert (widget.area.text(), widget.volume.text()) == ("–", "–")


def test_progress_is_shown_and_cancel_changes_nothing(qtbot, viewer, widget, predictor):
    predictor.hold = threading.Event()
    widget.run_button.click()
    qtbot.waitUntil(lambda: widget.progress.maximum() == 4)
    assert widget.run_button.text() == "Cancel"
    assert not widget.form.isEnabled()
    widget.run_button.click()
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert [layer.name for layer in viewer.layers] == ["scan"]
    assert widget.message.text() == "Cancelled; nothing was changed."
    assert widget.run_button.text() == "Segment"
    assert widget.form.isEnabled()


@pytest.fixture
def held(qtbot, viewer, widget, predictor, monkeypatch):
    """A long run of which the frame in view, the third, is drawn and no other yet."""
    monkeypatch.setattr("napari_microus.widgets.segment.work.LONG_S", 0)
    viewer.dims.set_current_step(0, 2)
    predictor.hold, predictor.free = threading.Event(), 1
    widget.run_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and viewer.layers[-1].visible)
    yield viewer.layers[-1]
    predictor.hold.set()  # the widget is gone already, and its thread must end


def test_the_frame_in_view_is_drawn_before_the_others(qtbot, viewer, widget, held):
    assert held.name == "scan capsule (in progress)"
    assert [frame.any() for frame in held.data] == [False, False, True, False]
    assert not held.editable
    np.testing.assert_allclose(held.extent.world, viewer.layers[0].extent.world)


def test_a_short_run_adds_its_layer_once_it_is_whole(viewer, widget, run):
    added = []
    viewer.layers.events.inserted.connect(lambda event: added.append(event.value.name))
    run()
    assert added == ["scan capsule"]


@pytest.mark.parametrize(
    ("seconds", "done", "is_long"),
    # Of 60 frames 52 are left at 100 and at 8 a second; one alone took 0.04 and 1 s.
    [(0.08, 8, False), (1.0, 8, True), (0.04, 1, False), (1.0, 1, True)],
)
def test_only_a_long_run_shows_how_it_grows(seconds, done, is_long):
    from napari_microus.widgets.segment.work import _is_long

    assert _is_long(seconds, Progress(done, 60)) is is_long


def test_the_growing_capsule_becomes_the_capsule(
    qtbot, viewer, widget, held, predictor
):
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert [layer.name for layer in viewer.layers] == ["scan", "scan capsule"]
    assert viewer.layers[-1] is held
    np.testing.assert_array_equal(held.data, box())
    assert held.editable
    assert provenance(held)["model"]
    assert widget.size_box.title() == "scan capsule"


def test_a_frame_gone_to_meanwhile_is_shown_when_it_is_drawn(
    qtbot, viewer, widget, held, predictor
):
    viewer.dims.set_current_step(0, 1)
    shown = []
    held.events.set_data.connect(lambda event: shown.append(held.data[1].any()))
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert shown
    assert shown[-1]


def test_the_frame_in_view_is_not_drawn_again_for_the_others(
    qtbot, widget, held, predictor
):
    drawn = []
    held.events.set_data.connect(drawn.append)
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert held.name == "scan capsule"
    assert not drawn


def test_cancelling_takes_the_growing_capsule_away(
    qtbot, viewer, widget, held, predictor
):
    widget.run_button.click()
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert [layer.name for layer in viewer.layers] == ["scan"]
    assert viewer.layers.selection.active is viewer.layers["scan"]


def test_an_error_takes_the_growing_capsule_away(
    qtbot, viewer, widget, held, predictor, monkeypatch
):
    monkeypatch.setattr(
        "napari_microus.widgets.segment.dock.show_error", lambda words: None
    )
    predictor.error = DeviceError("The GPU must be present.")
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert [layer.name for layer in viewer.layers] == ["scan"]


def test_a_capsule_that_was_saved_and_opened_again_is_drawn_in(
    viewer, widget, run, tmp_path
):
    run()
    first = viewer.layers["scan capsule"]
    viewer.layers.remove(first)
    again = Labels(
        np.zeros_like(first.data),
        name="capsule",
        scale=first.scale,
        translate=first.translate,
        metadata={
            "napari_microus": {
                "provenance": {
                    **first.metadata["napari_microus"]["provenance"],
                    "image_id": "of another session",
                }
            }
        },
    )
    viewer.add_layer(again)
    widget.form.frames_box.setCurrentText("Current frame")
    run()
    assert [layer.name for layer in labels(viewer)] == ["capsule"]
    assert again.data.any()


def test_removing_a_growing_capsule_ends_the_run(
    qtbot, viewer, widget, held, predictor
):
    viewer.layers.remove(held)
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert [layer.name for layer in viewer.layers] == ["scan"]
    assert "removed while it was being drawn" in widget.message.text()
    assert widget.run_button.isEnabled()


def test_removing_the_scan_ends_the_run_and_leaves_no_orphan(
    qtbot, viewer, widget, held, predictor
):
    viewer.layers.remove(viewer.layers["scan"])
    predictor.hold.set()
    qtbot.waitUntil(lambda: not widget.is_running)
    assert list(viewer.layers) == []
    assert "The image is gone" in widget.message.text()
    assert not widget.run_button.isEnabled()


def test_the_wheel_changes_no_box_that_has_not_the_focus(widget):
    box = widget.form.frames_box
    point = QPointF(5, 5)
    wheel = QWheelEvent(
        point,
        point,
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QCoreApplication.sendEvent(box, wheel)
    assert box.currentIndex() == 0


def test_closed_options_are_no_stops_of_the_tab_key(widget):
    assert not widget.form.flip.isEnabled()
    widget.form.options.expand(animate=False)
    assert widget.form.flip.isEnabled()


def test_an_open_dock_warms_up_for_the_first_run(
    qtbot, widget, models, predictor, viewer
):
    assert not models.loads
    widget.show()
    qtbot.waitUntil(lambda: bool(predictor.calls))
    qtbot.waitUntil(lambda: widget._segmenter._can_draw)
    assert models.loads == [("first", "auto")]
    assert len(viewer.layers) == 1
    widget.run_button.click()
    qtbot.waitUntil(lambda: "scan capsule" in viewer.layers)
    assert len(models.loads) == 1


def test_a_failing_warm_up_leaves_the_complaint_to_the_run(
    qtbot, viewer, predictor, models
):
    tried = []

    def load(name, device):
        tried.append(name)
        raise CheckpointError("Weights must fit.")

    widget = SegmentWidget(
        viewer, predict=predictor, load_model=load, list_models=models.list
    )
    qtbot.addWidget(widget)
    widget.show()
    qtbot.waitUntil(lambda: bool(tried))
    assert not widget.message.text()
    assert widget.run_button.isEnabled()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DeviceError("The GPU must be present."), "The GPU must be present."),
        (CheckpointError("Weights must fit."), "Weights must fit."),
        (RuntimeError("CUDA error"), "Segmenting failed: CUDA error"),
        (KeyError("x"), "Segmenting failed: 'x'"),
    ],
)
def test_an_error_is_shown_logged_and_the_next_run_works(
    error, words, viewer, widget, run, predictor, caplog, monkeypatch
):
    shown = []
    monkeypatch.setattr("napari_microus.widgets.segment.dock.show_error", shown.append)
    predictor.error = error
    with caplog.at_level(logging.ERROR):
        run()
    assert widget.message.text() == words
    assert shown == [words]
    assert caplog.records[-1].exc_info[1] is error
    assert len(viewer.layers) == 1
    predictor.error = None
    run()
    assert "scan capsule" in viewer.layers


def test_notices_of_the_run_stay_readable(widget, run, predictor):
    predictor.notices = ["Memory is short."]
    run()
    assert widget.message.text().endswith("Memory is short.")


def test_an_empty_answer_says_so(widget, run, predictor):
    predictor.mask = lambda shape: np.zeros(shape, np.uint8)
    run()
    assert widget.message.text().startswith("The model found no capsule")


def test_the_note_is_visible(widget):
    from qtpy.QtWidgets import QLabel

    texts = [label.text() for label in widget.findChildren(QLabel)]
    assert any("Not for clinical use" in text for text in texts)


def test_a_widget_that_goes_away_stops_its_work(qtbot, viewer, predictor, models):
    predictor.hold = threading.Event()
    widget = SegmentWidget(
        viewer, predict=predictor, load_model=models.load, list_models=models.list
    )
    widget.run_button.click()
    qtbot.waitUntil(lambda: bool(predictor.calls))
    worker = widget._worker
    widget.deleteLater()
    qtbot.waitUntil(lambda: worker._quit.is_set())
    predictor.hold.set()
    qtbot.waitUntil(lambda: not worker.is_running)
    assert len(viewer.layers) == 1
    viewer.add_image(np.zeros((3, 4)))  # no connection is left behind
    viewer.layers.selection.active = viewer.layers[0]


def test_opening_the_dock_imports_no_torch():
    code = """
import sys
import napari
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
app = QApplication([])
from napari_microus.widgets.segment import SegmentWidget
viewer = ViewerModel()
widget = SegmentWidget(viewer)
heavy = {"torch", "monai", "SimpleITK", "nibabel"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_manifest_opens_the_dock_on_the_viewer(
    make_napari_viewer, qtbot, predictor, models
):
    """By name, with the proxy of the viewer that napari hands to plugins."""
    viewer = make_napari_viewer()
    image = viewer.add_image(np.random.default_rng(0).random(SHAPE), name="scan")
    _, widget = viewer.window.add_plugin_dock_widget(
        "napari-microus", "Segment capsule"
    )
    assert isinstance(widget, SegmentWidget)
    assert widget.form.image is image
    widget._segmenter._predict = predictor
    widget._segmenter._load_model = models.load
    widget.form._list_models = models.list
    widget.form.refresh_models()
    widget.run_button.click()
    qtbot.waitUntil(lambda: not widget.is_running)
    np.testing.assert_array_equal(viewer.layers["scan capsule"].data, box())


def test_preferences_choose_what_the_dock_opens_with(
    viewer, qtbot, predictor, models, monkeypatch
):
    chosen = SimpleNamespace(segment=SimpleNamespace(device="cpu", flip=True))
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda name: chosen)
    widget = SegmentWidget(viewer, predict=predictor, list_models=models.list)
    qtbot.addWidget(widget)
    assert widget.form.device == "cpu"
    assert widget.form.settings()["flip"] is True


def test_the_manifest_offers_the_preferences():
    from napari_microus.widgets._shared.boxes import preferred

    assert preferred("device", "auto") in ("auto", "cuda", "mps", "cpu")
    assert preferred("flip", False) is False
    assert preferred("no such setting", 7) == 7


def test_the_shortcut_starts_the_run(qtbot, widget, viewer):
    from qtpy.QtCore import Qt

    widget.show()
    widget.activateWindow()
    qtbot.waitUntil(widget.isActiveWindow)
    qtbot.keyClick(widget, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: "scan capsule" in viewer.layers)


# --- saving ----------------------------------------------------------------------
def test_capsule_is_saved_beside_its_scan_with_who_drew_it(
    viewer, widget, run, tmp_path
):
    from napari_microus.core.io import read_provenance, read_volume
    from napari_microus.widgets._shared.saving import suggested_path

    assert not widget.save_button.isEnabled()
    run()
    layer = viewer.layers[-1]
    layer.metadata["napari_microus"]["source"] = str(tmp_path / "scan.nii.gz")
    assert suggested_path(layer) == str(tmp_path / "scan capsule.nii.gz")
    sample = Path(napari_microus.__file__).parent / "samples" / "micro_us_sweep"
    layer.metadata["napari_microus"]["source"] = str(sample / "scan.nii.gz")
    assert suggested_path(layer) == str(Path.home() / "scan capsule.nii.gz")
    layer.metadata["napari_microus"]["source"] = str(tmp_path / "scan.nii.gz")
    widget.ask_path = suggested_path
    widget.save_button.click()
    path = tmp_path / "scan capsule.nii.gz"
    assert f"Saved {path}" in widget.message.text()
    np.testing.assert_array_equal(read_volume(path).array, layer.data)
    assert read_provenance(path)["task"] == "segment"


def test_changed_mind_and_a_place_that_cannot_be_written_save_nothing(
    viewer, widget, run, tmp_path
):
    run()
    said = widget.message.text()
    widget.ask_path = lambda layer: ""
    widget.save_button.click()
    assert widget.message.text() == said
    (tmp_path / "file").write_text("")
    widget.ask_path = lambda layer: str(tmp_path / "file" / "m.nii.gz")
    widget.save_button.click()
    assert "Cannot write to" in widget.message.text()


def test_removed_capsule_cannot_be_saved(viewer, widget, run):
    run()
    assert widget.save_button.isEnabled()
    viewer.layers.remove(viewer.layers[-1])
    assert not widget.save_button.isEnabled()


# --- the right scan --------------------------------------------------------------
def test_probability_layer_is_no_image_to_segment(viewer, widget, run):
    widget.form.probability.setChecked(True)
    run()
    layer = next(x for x in viewer.layers if x.name == "scan probability")
    viewer.layers.selection.active = layer
    assert widget.form.image is viewer.layers["scan"]
    names = [widget.form.image_box.itemText(i) for i in range(5)]
    assert "scan probability" not in names


def test_selected_capsule_chooses_its_scan_and_the_range_is_that_of_it(
    viewer, widget, run
):
    run()
    capsule = viewer.layers[-1]
    other = viewer.add_image(np.zeros((9, 8, 8), np.uint8), name="other")
    viewer.layers.selection.active = other
    assert widget.form.image is other
    assert widget.form.last_frame.value() == 8
    widget.form.first_frame.setValue(7)
    viewer.layers.selection.active = capsule
    assert widget.form.image is viewer.layers["scan"]
    frames = viewer.layers["scan"].data.shape[0]
    assert widget.form.first_frame.value() == 0
    assert widget.form.last_frame.value() == frames - 1


def test_a_dock_that_is_taken_away_holds_no_model(qtbot, widget, models, run):
    holder = QWidget()
    qtbot.addWidget(holder)
    widget.setParent(holder)
    run()
    assert widget._segmenter._loaded is not None
    widget.setParent(None)  # as napari does where a dock is closed
    assert widget._segmenter._loaded is None
    loads = len(models.loads)
    for _ in widget._segmenter.warm_up(models.infos[0], "cpu"):
        break  # a warm-up that was under way
    assert widget._segmenter._loaded is None
    run()  # opened again
    assert widget._segmenter._loaded is not None
    assert len(models.loads) == loads + 2
