"""The demo as a newcomer runs it, and the virtual screen under it."""

import json
import os
import sys

import imageio.v3 as iio
import numpy as np
import pytest

from napari_microus.cli import _screen
from napari_microus.cli._screen import virtual_screen
from napari_microus.core.demo import SEED, run_demo, write_demo
from napari_microus.core.errors import DeviceError, OutputError
from napari_microus.core.events import drain
from napari_microus.core.io import read_mask
from napari_microus.core.phantom import make_phantom


@pytest.fixture(scope="module")
def result():
    return drain(run_demo(frames=4))


def test_capsule_lies_on_the_gland_and_on_the_scan(result, tmp_path):
    write_demo(result, tmp_path)

    case = make_phantom(SEED, frames=4)
    mask = read_mask(tmp_path / "capsule.nii.gz", grid=case.scan)
    overlap = 2 * (mask.array & case.expert.array).sum()
    assert overlap / (mask.array.sum() + case.expert.array.sum()) > 0.9
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["dice"] > 0.9
    assert report["hd95_mm"] < 4
    assert report["seconds"] > 0
    assert report["real"]["dice"] > 0.9
    assert "CC-BY-4.0" in report["real"]["attribution"]
    assert (tmp_path / "real_capsule.nii.gz").exists()
    for name in ("real.png", "scan.png", "hard_region.png"):
        picture = iio.imread(tmp_path / name)
        assert picture.shape[0] > 400
        assert np.ptp(picture[..., 0]) > 200


def test_earlier_demo_is_kept_unless_asked_otherwise(result, tmp_path):
    write_demo(result, tmp_path)
    with pytest.raises(OutputError, match="already exists"):
        write_demo(result, tmp_path)
    write_demo(result, tmp_path, overwrite=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is Linux's")
def test_virtual_screen_is_there_in_the_block_only(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with virtual_screen():
        assert os.environ["DISPLAY"].startswith(":")
    assert "DISPLAY" not in os.environ


def test_missing_xvfb_is_named(monkeypatch):
    monkeypatch.setattr(_screen, "has_display", lambda: False)
    monkeypatch.setattr(_screen, "which", lambda name: None)
    with pytest.raises(DeviceError, match="no Xvfb"), virtual_screen():
        pass


@pytest.mark.parametrize(
    ("found", "words"),
    [(None, "napari is not installed"), ("napari", "Qt cannot be loaded")],
)
def test_without_napari_or_qt_the_rest_of_the_demo_is_written(
    result, tmp_path, run_command, monkeypatch, capsys, found, words
):
    from napari_microus.cli import demo
    from napari_microus.core import demo as core_demo

    def ready():
        yield from ()
        return result

    monkeypatch.setattr(core_demo, "run_demo", ready)
    monkeypatch.setattr(demo, "find_spec", lambda name: found)
    monkeypatch.setitem(sys.modules, "qtpy", None)
    monkeypatch.setitem(sys.modules, "napari", None)
    monkeypatch.delitem(sys.modules, "napari_microus.widgets.demo", raising=False)

    assert run_command("demo", "-o", tmp_path / "out") == 0

    assert (tmp_path / "out" / "report.json").exists()
    assert not (tmp_path / "out" / "napari.png").exists()
    assert words in capsys.readouterr().out
