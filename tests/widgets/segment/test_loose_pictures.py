"""Pictures dropped together become one scan when the user says so."""

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.io import imsave

from napari_microus._reader import read_layers
from napari_microus.widgets.segment.loose_pictures import LoosePictures


def open_picture(viewer, path):
    ((data, arguments, kind),) = read_layers(str(path))
    assert kind == "image"
    return viewer.add_image(data, **arguments)


@pytest.fixture
def viewer(tmp_path):
    viewer = ViewerModel()
    (tmp_path / "case").mkdir()
    for number in (10, 9, 1):
        path = tmp_path / "case" / f"f{number}.png"
        imsave(path, np.full((30, 40), number, np.uint8), check_contrast=False)
        open_picture(viewer, path)
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def offer(qtbot, viewer):
    offer = LoosePictures(viewer)
    qtbot.addWidget(offer)
    return offer


def test_they_become_one_scan_in_the_order_of_their_numbers(qtbot, viewer, offer):
    assert "3 pictures of the folder 'case'" in offer.words.text()
    offer.button.click()
    qtbot.waitUntil(lambda: offer._worker is None)
    (scan,) = viewer.layers
    assert scan.name == "case"
    assert scan.data[:, 0, 0].tolist() == [1, 9, 10]
    assert not offer.isVisibleTo(None)


def test_a_picture_of_another_size_or_folder_is_left_alone(
    qtbot, viewer, offer, tmp_path
):
    imsave(
        tmp_path / "case" / "x.png", np.zeros((9, 9), np.uint8), check_contrast=False
    )
    other = open_picture(viewer, tmp_path / "case" / "x.png")
    offer.button.click()
    qtbot.waitUntil(lambda: offer._worker is None)
    assert other in viewer.layers
    assert len(viewer.layers) == 2


def test_pictures_that_somebody_drew_over_are_not_offered(viewer, offer):
    viewer.add_labels(np.zeros((1, 30, 40), np.uint8), scale=(1, 1, 1))
    assert not offer.isVisibleTo(None)
    assert len(viewer.layers) == 4


def test_a_picture_that_is_gone_is_reported_and_the_others_stay(
    qtbot, viewer, offer, tmp_path
):
    (tmp_path / "case" / "f9.png").unlink()
    offer.button.click()
    qtbot.waitUntil(lambda: offer._worker is None)
    assert "f9.png" in offer.words.text()
    assert len(viewer.layers) == 3
