import numpy as np
import pytest
from napari.components import ViewerModel

from napari_microus.core.errors import ConfigError
from napari_microus.core.train import TrainConfig, variations
from napari_microus.core.train.variations import Variations
from napari_microus.widgets.train.variation import (
    IMAGE_LAYER,
    MASK_LAYER,
    VariationPreview,
    contours,
    montage,
    tiles,
)


@pytest.fixture
def found():
    frames = np.full((9, 20, 20), 100, np.uint8)
    masks = np.zeros((9, 20, 20), np.uint8)
    masks[:, 5:15, 5:15] = 1
    return Variations("c1", 3, frames, masks)


@pytest.fixture
def seeds(monkeypatch, found):
    """Seeds with which frames were varied."""
    asked = []

    def vary(config, *, seed):
        yield None
        asked.append(seed)
        return found

    monkeypatch.setattr(variations, "vary_a_frame", vary)
    return asked


@pytest.fixture
def preview(qtbot):
    preview = VariationPreview(ViewerModel(), TrainConfig)
    qtbot.addWidget(preview)
    preview.show()
    return preview


def draw(qtbot, preview):
    preview.button.click()
    qtbot.waitUntil(preview.button.isEnabled, timeout=60_000)


def test_click_shows_pictures_and_another_one_draws_anew(qtbot, preview, seeds):
    draw(qtbot, preview)
    assert preview.picture.isVisible()
    assert preview.picture.pixmap().width() == 300
    assert preview.message.text().startswith("'c1', frame 3: first as it is")

    draw(qtbot, preview)

    assert seeds == [0, 1]


def test_pictures_become_layers_and_leave_again(qtbot, preview, seeds):
    draw(qtbot, preview)
    preview.as_layers.setChecked(True)
    names = [layer.name for layer in preview._viewer.layers]
    assert names == [IMAGE_LAYER, MASK_LAYER]

    draw(qtbot, preview)
    assert len(preview._viewer.layers) == 2

    preview.as_layers.setChecked(False)
    assert len(preview._viewer.layers) == 0


def test_layers_lie_over_what_is_shown(qtbot, preview, seeds):
    viewer = preview._viewer
    scan = np.zeros((3, 40, 60))
    place = {"scale": (1.0, 0.1, 0.2), "units": ("mm",) * 3}
    viewer.add_image(scan, translate=(0, 5, 7), **place)
    draw(qtbot, preview)
    preview.as_layers.setChecked(True)

    shown = viewer.layers[IMAGE_LAYER]
    low, high = shown.extent.world
    assert low == pytest.approx([5, 7], abs=0.2)
    assert high - low == pytest.approx([11.8, 11.8], abs=0.3)
    assert [str(unit) for unit in shown.units] == ["millimeter"] * 2


def test_setting_that_makes_no_sense_is_named(preview):
    def refuse():
        raise ConfigError("Rotation must be a number; got 'x'. Correct it.")

    preview._make_config = refuse
    preview.button.click()

    assert preview.message.text().startswith("Rotation must be a number")
    assert not preview.picture.isVisible()


def test_failure_is_a_sentence(qtbot, preview, monkeypatch):
    def fail(config, *, seed):
        raise RuntimeError("no memory")
        yield

    monkeypatch.setattr(variations, "vary_a_frame", fail)
    draw(qtbot, preview)

    assert preview.message.text() == "This failed: no memory"


def test_tiles_lie_row_by_row():
    stack = np.arange(1, 6, dtype=np.uint8)[:, None, None] * np.ones(
        (1, 2, 2), np.uint8
    )
    sheet = tiles(stack)
    assert sheet.shape == (2 * 2 + 4, 3 * 2 + 2 * 4)
    assert sheet[0, ::6].tolist() == [1, 2, 3]
    assert sheet[6, ::6].tolist() == [4, 5, 0]


def test_contour_is_the_two_outermost_pixels(found):
    ring = contours(found.masks)[0]
    assert ring.sum() == 10 * 10 - 6 * 6
    assert not ring[7:13, 7:13].any()
    picture = montage(found)
    assert picture.shape == (68, 68, 3)
    assert picture[10, 10].tolist() == [100, 100, 100]
    assert picture[5, 5].tolist() != [100, 100, 100]
