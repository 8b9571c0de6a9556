from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.library import LoadedModel
from napari_microus.core.predict import predict
from napari_microus.core.predict.volumes import channel_files, predict_volume
from napari_microus.core.volume import Volume

NAMES = ("t2w", "adc")


class Bright(nn.Module):
    """Bright where the second channel is more than two standard deviations up."""

    def forward(self, x):
        return 4 * (x[:, 1:2] - 2) + 0 * x[:, :1]


def model(**input_):
    described = {"spatial_dims": 3, "patch_size": [8, 16, 16], "channels": list(NAMES)}
    config = {"architecture": "basic_unet", "input": described | input_}
    return LoadedModel(Bright(), "bright", "1", config, "", {})


def placed(array, spacing_mm=(3.0, 0.5, 0.5)):
    return Volume(array, np.diag([*spacing_mm[::-1], 1.0]), is_oriented=True)


@pytest.fixture
def channels():
    noise = np.random.default_rng(0).normal(0, 0.05, (2, 12, 40, 36))
    lesion = np.zeros((12, 40, 36))
    lesion[4:8, 12:28, 10:26] = 1
    return {"t2w": placed(noise[0]), "adc": placed(noise[1] + lesion)}, lesion


def drained(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def dice(a, b):
    return 2 * (a * b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("spacing_mm", [None, [3.0, 1.0, 1.0]])
def test_the_mask_lies_on_the_first_channels_grid(channels, spacing_mm):
    given, lesion = channels
    found = drained(predict_volume(model(spacing_mm=spacing_mm), given, device="cpu"))
    assert found.mask.shares_grid(given["t2w"])
    assert found.probability.shares_grid(given["t2w"])
    assert dice(found.mask.array, lesion) > 0.85


def test_flip_and_several_models_change_nothing_of_a_symmetric_answer(channels):
    given, _ = channels
    one = drained(predict_volume(model(), given, device="cpu"))
    more = drained(predict_volume([model(), model()], given, device="cpu", flip=True))
    np.testing.assert_allclose(
        more.probability.array.astype(float), one.probability.array, atol=2e-3
    )


def test_a_missing_channel_is_named(channels):
    given, _ = channels
    with pytest.raises(InputError, match="channels t2w, adc; got no 'adc'"):
        drained(predict_volume(model(), {"t2w": given["t2w"]}, device="cpu"))


def test_a_model_of_frames_is_refused(channels):
    flat = LoadedModel(Bright(), "flat", "1", {"input": {"size": 32}}, "", {})
    with pytest.raises(ConfigError, match="'flat', which sees single frames"):
        drained(predict_volume(flat, channels[0], device="cpu"))


@pytest.mark.parametrize(
    "inputs",
    [
        ("p1_adc.mha", "p1_t2w.mha"),
        ("adc=a.nii.gz", "t2w=b.nii.gz"),
        ("first.nii", "second.nii"),
    ],
)
def test_files_find_their_channels(inputs):
    found = channel_files([Path(name) for name in inputs], NAMES)
    assert list(found) == list(NAMES)
    expected = {
        "p1_adc.mha": "p1_t2w.mha",
        "adc=a.nii.gz": "b.nii.gz",
        "first.nii": "first.nii",
    }
    assert str(found["t2w"]) == expected[inputs[0]]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (("a_t2w.mha",), "got no file for 'adc'"),
        (("a_t2w.mha", "b_t2w.mha"), "two for 't2w'"),
        (("a.mha", "b.mha", "c.mha"), "takes 2 channels"),
        (("a_t2w.mha", "b.mha"), "got no file for 'adc'"),
    ],
)
def test_files_that_are_no_channels_are_reported(inputs, words):
    with pytest.raises(InputError, match=words):
        channel_files([Path(name) for name in inputs], NAMES)


def test_frames_refuse_a_network_of_volumes():
    from napari_microus.core.config import BaselineConfig, ModelConfig
    from napari_microus.core.errors import CheckpointError
    from napari_microus.core.models import create_model

    baseline = BaselineConfig(32, 3, 1, None, 4)
    network = create_model(ModelConfig("basic_unet", baseline=baseline))
    scan = Volume(np.random.default_rng(0).normal(size=(2, 32, 32)))
    with (
        torch.no_grad(),
        pytest.raises(CheckpointError, match="must see single frames"),
    ):
        drained(predict(network, scan, device="cpu"))
