"""Preferences of the manifest are what the docks begin with."""

from importlib.resources import files

import pytest
import yaml
from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from npe2 import PluginManager

from napari_microus.core import colors
from napari_microus.core.library import ModelInfo
from napari_microus.widgets._shared.boxes import DeviceBox, ModelBox
from napari_microus.widgets._shared.layers import tint
from napari_microus.widgets._shared.preferences import preferred, preferred_color
from napari_microus.widgets.batch import BatchWidget
from napari_microus.widgets.correct.autosaving import SECONDS


@pytest.fixture
def settings(monkeypatch, qapp):
    PluginManager.instance().discover()
    found = get_plugin_settings("napari-microus")
    kept = {name: getattr(found, name).model_dump() for name in ("general", "segment")}
    yield found
    for name, values in kept.items():
        for key, value in values.items():
            setattr(getattr(found, name), key, value)


def test_defaults_are_those_of_the_code():
    text = files("napari_microus").joinpath("napari.yaml").read_text("utf-8")
    stated = yaml.safe_load(text)["contributions"]["configurations"]
    general = stated["general"]["properties"]
    assert general["capsule_color"]["default"] == colors.CAPSULE
    assert general["expert_color"]["default"] == colors.EXPERT
    assert general["nonexpert_color"]["default"] == colors.NONEXPERT
    assert general["autosave_s"]["default"] == SECONDS


def test_model_and_device_are_chosen_as_preferred(settings, tmp_path):
    settings.segment.model = "mine"
    settings.segment.device = "cpu"
    box = ModelBox()
    box.fill([ModelInfo("first", tmp_path), ModelInfo("mine", tmp_path)])
    assert box.chosen.name == "mine"
    assert DeviceBox().chosen == "cpu"


def test_a_model_that_has_gone_is_no_trouble(settings, tmp_path):
    settings.segment.model = "gone"
    box = ModelBox()
    box.fill([ModelInfo("first", tmp_path)])
    assert box.chosen.name == "first"


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [("#112233", "#112233"), ("red", colors.CAPSULE), ("", colors.CAPSULE)],
)
def test_colours_are_taken_where_they_are_colours(settings, chosen, shown):
    settings.general.capsule_color = chosen
    assert preferred_color(colors.CAPSULE) == shown
    assert tint(colors.CAPSULE)["colormap"][1] == shown


def test_autosaving_comes_as_often_as_preferred(settings, qtbot):
    from napari_microus.widgets.correct import CorrectWidget

    settings.general.autosave_s = 5
    dock = CorrectWidget(ViewerModel())
    qtbot.addWidget(dock)
    assert dock.autosaving._timer.interval() == 5000


def test_without_napari_settings_for_plugins_defaults_hold(monkeypatch, qtbot):
    monkeypatch.delattr("napari.settings.get_plugin_settings")
    assert preferred("device", "auto") == "auto"
    qtbot.addWidget(BatchWidget(ViewerModel()))
