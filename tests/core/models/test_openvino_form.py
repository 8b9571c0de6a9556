"""OpenVINO's form of a network, where OpenVINO is installed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_microus.core.models import openvino_form
from napari_microus.core.models.openvino_form import compiled_form
from trained_transunet import trained_transunet

needs_openvino = pytest.mark.skipif(
    not openvino_form._is_installed(), reason="OpenVINO is not installed"
)


def network(**changes):
    return trained_transunet(**{"encoder": "efficientnet_lite0", **changes})


@pytest.fixture
def frames():
    return torch.rand(5, 1, 64, 64, generator=torch.Generator().manual_seed(0))


@needs_openvino
def test_its_logits_are_the_plain_ones_for_any_number_of_frames(frames):
    model = network()
    compiled = compiled_form(model, torch.float32)
    with torch.inference_mode():
        expected = model(frames).logits
        assert expected.std() > 0.5
        for part in (frames[:1], frames, frames[1:3]):
            torch.testing.assert_close(
                compiled(part), model(part).logits, atol=1e-3, rtol=0
            )
    assert compiled.config.image_size == 64


@needs_openvino
def test_threads_do_not_meet_in_it(frames):
    model = network()
    compiled = compiled_form(model, torch.float32)
    with torch.inference_mode():
        expected = model(frames).logits
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda n: compiled(frames[n : n + 1]), [0, 1, 2, 3, 4] * 4)
        )
    for number, one in enumerate(found):
        torch.testing.assert_close(one[0], expected[number % 5], atol=1e-3, rtol=0)


@needs_openvino
def test_its_makers_are_told_nothing():
    code = (
        "import sys\n"
        "import torch\n"
        "sys.path[:0] = sys.argv[1:]\n"
        "from test_openvino_form import network, compiled_form\n"
        "assert compiled_form(network(), torch.float32) is not None\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
    )
    here = Path(__file__).parent
    folders = [str(here), str(here.parents[1])]
    subprocess.run([sys.executable, "-c", code, *folders], check=True)


@needs_openvino
@pytest.mark.slow
def test_masks_of_real_frames_are_those_of_float32():
    from napari_microus.core import samples
    from napari_microus.core.events import drain
    from napari_microus.core.library import load_model
    from napari_microus.core.predict import networks, predict

    scan = samples.read_sweep().scan
    choices = {"device": "cpu", "precision": "float32"}
    plain = drain(predict(load_model(), scan, **choices)).mask.array
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_WORTH_COMPILING", 1)
        model = load_model()
        found = drain(predict(model, scan, **choices)).mask.array
    assert isinstance(networks._fast[model].form, openvino_form.OpenVINONetwork)
    assert plain.any()
    both = 2 * np.count_nonzero(plain & found)
    assert both / (plain.sum() + found.sum()) > 0.9999


def test_what_is_no_gain_is_left_to_ours(monkeypatch):
    """Nothing is imported for it."""
    monkeypatch.setattr(openvino_form, "_is_installed", lambda: True)
    monkeypatch.setattr(openvino_form, "OpenVINONetwork", None)
    assert compiled_form(network(), torch.bfloat16) is None
    assert compiled_form(network(encoder="resnet_v2"), torch.float32) is None


def test_without_openvino_ours_serves(monkeypatch):
    monkeypatch.setattr(openvino_form, "_is_installed", lambda: False)
    assert compiled_form(network(), torch.float32) is None


def test_where_openvino_fails_ours_serves(monkeypatch, caplog):
    def fails(model):
        raise RuntimeError("not this processor")

    monkeypatch.setattr(openvino_form, "_is_installed", lambda: True)
    monkeypatch.setattr(openvino_form, "OpenVINONetwork", fails)
    assert compiled_form(network(), torch.float32) is None
    assert "did not take" in caplog.text
