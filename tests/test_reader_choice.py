"""napari asks for a reader where two can read a file; ours is not in the way."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.errors import MultipleReaderError, ReaderPluginError
from napari.settings import get_settings
from npe2 import DynamicPlugin, PluginManager
from PIL import Image

from napari_microus.core.io import (
    ScanProperties,
    write_scan_properties,
    write_volume,
)
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.opening import open_paths
from napari_microus.widgets._shared.reader_choice import open_unasked, opens_unasked


@pytest.fixture
def frames(tmp_path):
    """A folder of two frames, and the first of them."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(2):
        picture = np.full((4, 5), 10 * number + 1, np.uint8)
        picture[0, 0] = 0
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def viewer(qapp):
    PluginManager.instance().discover()
    return ViewerModel()


def readers(path):
    compatible = PluginManager.instance().iter_compatible_readers([str(path)])
    return {one.plugin_name for one in compatible}


def test_a_picture_is_opened_by_napari_without_a_question(viewer, frames):
    assert "napari-microus" not in readers(frames / "0.png")
    (layer,) = viewer.open(str(frames / "0.png"), plugin=None)
    assert layer.source.reader_plugin == "napari"


def test_of_a_folder_naparis_reader_loses_the_size_so_ours_is_offered(viewer, frames):
    write_scan_properties(frames, ScanProperties((0.2, 0.1), 0.5))
    assert readers(frames) == {"napari", "napari-microus"}
    (layer,) = viewer.open(str(frames), plugin="napari-microus")
    assert layer.scale.tolist() == pytest.approx([0.5, 0.2, 0.1])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_where_naparis_reader_loses_the_size_of_a_scan_ours_is_offered(
    viewer, tmp_path, suffix
):
    path = tmp_path / f"scan{suffix}"
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    write_volume(Volume.from_spacing(array, (1.5, 0.2, 0.1)), path)
    assert readers(path) == {"napari", "napari-microus"}
    with pytest.raises(MultipleReaderError):  # napari asks, once and for all
        viewer.open(str(path), plugin=None)  # as its window opens files
    (layer,) = viewer.open(str(path), plugin="napari-microus")
    assert layer.scale.tolist() == pytest.approx([1.5, 0.2, 0.1])
    # Our own button asks nobody.
    assert open_paths(viewer, [str(path)])
    assert viewer.layers[-1].scale.tolist() == pytest.approx([1.5, 0.2, 0.1])


def test_of_three_readers_our_button_takes_ours(viewer, tmp_path):
    path = tmp_path / "scan.nii.gz"
    write_volume(Volume.from_spacing(np.ones((2, 4, 5), np.uint8), (1, 1, 1)), path)
    with DynamicPlugin("another-reader") as another:

        @another.contribute.reader(filename_patterns=["*.nii.gz"])
        def get_reader(path):
            return lambda path: [(np.zeros((2, 2)), {"name": "another"}, "image")]

        assert readers(path) == {"napari", "napari-microus", "another-reader"}
        assert open_paths(viewer, [str(path)])
    assert [layer.name for layer in viewer.layers] == ["scan"]


def test_our_button_opens_pictures_and_folders_as_one_scan(viewer, frames):
    assert open_paths(viewer, [str(frames)])
    (layer,) = viewer.layers
    assert layer.data[:, 1, 1].tolist() == [1, 11]
    assert not open_paths(viewer, [str(frames / "notes.doc")])


@pytest.fixture
def preferences():
    """napari's, which are as they were after the test."""
    settings = get_settings().plugins
    before = dict(settings.extension2reader)
    yield settings
    settings.extension2reader = before


def test_one_tick_and_folders_and_scans_are_opened_without_a_question(
    viewer, preferences, frames, tmp_path
):
    preferences.extension2reader = {"*.tif": "another"}
    write_scan_properties(frames, ScanProperties((0.2, 0.1), 0.5))
    scan = tmp_path / "scan.nii.gz"
    write_volume(Volume.from_spacing(np.ones((2, 4, 5), np.uint8), (1.5, 1, 1)), scan)
    for path in (frames, scan):
        with pytest.raises(MultipleReaderError):  # napari asks
            viewer.open(str(path), plugin=None)
    assert not opens_unasked()

    open_unasked(True)
    assert opens_unasked()
    (folder,) = viewer.open(str(frames), plugin=None)
    assert folder.scale.tolist() == pytest.approx([0.5, 0.2, 0.1])
    (file,) = viewer.open(str(scan), plugin=None)
    assert file.scale.tolist() == pytest.approx([1.5, 1, 1])
    (picture,) = viewer.open(str(frames / "0.png"), plugin=None)
    assert picture.source.reader_plugin == "napari"

    open_unasked(False)
    assert not opens_unasked()
    assert preferences.extension2reader == {"*.tif": "another"}


def test_a_place_that_was_chosen_for_another_reader_keeps_it(
    viewer, preferences, frames
):
    preferences.extension2reader = {f"{frames}/": "napari"}
    open_unasked(True)
    (layer,) = viewer.open(str(frames), plugin=None)
    assert layer.source.reader_plugin == "napari"


def test_of_a_store_that_is_not_ours_the_others_are_asked_for(
    viewer, preferences, tmp_path
):
    store = tmp_path / "volume.zarr"
    store.mkdir()
    open_unasked(True)
    with pytest.raises(ReaderPluginError) as refused:  # its dialog names the others
        viewer.open(str(store), plugin=None)
    assert refused.value.reader_plugin == "napari-microus"
