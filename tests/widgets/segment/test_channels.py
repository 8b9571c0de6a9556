"""*Segment* with a model of volumes: one image layer a channel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

from napari_microus.core.library import LoadedModel, ModelInfo
from napari_microus.widgets.segment import SegmentWidget
from napari_microus.widgets.segment.layers import provenance

SHAPE = (8, 32, 40)
CONFIG = {
    "version": "1",
    "input": {
        "spatial_dims": 3,
        "patch_size": [8, 16, 16],
        "channels": ["t2w", "adc"],
    },
}


class Bright(torch.nn.Module):
    """Bright where the second channel is more than two standard deviations up."""

    def forward(self, x):
        return 4 * (x[:, 1:2] - 2) + 0 * x[:, :1]


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    place = {"scale": (3.0, 0.5, 0.5), "translate": (7, 1, 2), "units": "mm"}
    lesion = np.zeros(SHAPE)
    lesion[2:6, 10:20, 12:24] = 1
    viewer.add_image(rng.normal(0, 0.05, SHAPE) + lesion, name="p1_adc", **place)
    viewer.add_image(rng.normal(0, 0.05, SHAPE), name="p1_t2w", **place)
    return viewer


@pytest.fixture
def widget(qtbot, viewer):
    infos = [
        ModelInfo("lesion", Path("nowhere") / "lesion", config=CONFIG),
        ModelInfo("capsule", Path("nowhere") / "capsule", config={"version": "1"}),
    ]
    made = SegmentWidget(
        PublicOnlyProxy(viewer),
        load_model=lambda name, device: LoadedModel(
            Bright(), name, "1", CONFIG, "", {}, "abc"
        ),
        list_models=lambda: infos,
    )
    qtbot.addWidget(made)
    device = made.form.device_box
    device.setCurrentIndex(device.findData("cpu"))
    return made


def test_layers_are_offered_by_their_names(widget):
    chosen = widget.form.channels.chosen()
    assert {name: layer.name for name, layer in chosen.items()} == {
        "t2w": "p1_t2w",
        "adc": "p1_adc",
    }
    assert widget.form.frames_box.isHidden()
    assert not widget.form.channels.isHidden()


def test_the_mask_lies_over_the_first_channel(qtbot, viewer, widget):
    widget.run_button.click()
    qtbot.waitUntil(lambda: not widget.is_running, timeout=120000)

    assert "p1_t2w lesion" in viewer.layers, widget.message.text()
    drawn, scan = viewer.layers["p1_t2w lesion"], viewer.layers["p1_t2w"]
    np.testing.assert_allclose(drawn.extent.world, scan.extent.world)
    assert drawn.data[4, 15, 18] == 1
    assert 0.8 < drawn.data.sum() / (4 * 10 * 12) < 1.2
    assert provenance(drawn)["model"] == "lesion"
    assert "Drew 'p1_t2w lesion'" in widget.message.text()
    # 5 ng/mL by the volume of a lesion would be no PSA density.
    assert widget.size_box.psa.isHidden()
    assert not widget.size_box.volume.isHidden()


def test_one_layer_for_two_channels_is_refused(widget):
    box = widget.form.channels.box("adc")
    box.setCurrentIndex(widget.form.channels.box("t2w").currentIndex())
    assert not widget.run_button.isEnabled()
    assert "'p1_t2w' is chosen for both t2w and adc" in widget.message.text()


def test_a_channel_without_a_layer_is_reported(viewer, widget):
    viewer.layers.remove("p1_adc")
    assert not widget.run_button.isEnabled()


def test_a_model_of_frames_asks_for_no_channels(widget):
    widget.form.model_box.setCurrentIndex(1)
    assert widget.form.channels.isHidden()
    assert not widget.form.frames_box.isHidden()
    assert widget.form.settings()["fill_holes"] is True
