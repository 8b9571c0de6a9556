"""Which form of a network answers."""

import numpy as np
import pytest
import torch

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.library import LoadedModel
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.predict import networks
from napari_microus.core.predict.networks import Panel

CPU = torch.device("cpu")


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = TransUNet(TransUNetConfig.small(image_size=64)).eval()
    return LoadedModel(network, "x", "1", {}, "", {})


@pytest.fixture
def compiled(monkeypatch):
    """Stand for OpenVINO's form, and count how often it is made."""
    made = []

    class Compiled(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.config = network.config

        def forward(self, x):
            return x + 7

    def make(network, dtype):
        made.append(dtype)
        return Compiled(network)

    monkeypatch.setattr(networks, "compiled_form", make)
    return made


def answer(model, frames, precision="float32"):
    panel = Panel([model], CPU, precision=precision, frames=frames)
    return panel(torch.zeros(1, 1, 64, 64)).mean().item()


def test_long_work_is_worth_compiling_and_short_is_not(model, compiled):
    before = answer(model, 60)
    assert compiled == []
    assert answer(model, 39) == before
    assert answer(model, 1) == 7  # the hundredth frame
    assert answer(model, 500) == 7
    assert compiled == [torch.float32]


def test_live_is_long_work_of_single_frames(model, compiled):
    found = np.array([answer(model, 1) for _ in range(105)])
    assert (found[:99] != 7).all()
    assert (found[99:] == 7).all()
    assert len(compiled) == 1


def test_where_none_is_to_be_had_it_is_asked_for_once(model, monkeypatch):
    asked = []
    monkeypatch.setattr(networks, "compiled_form", lambda *_: asked.append(1))
    before = answer(model, 99)
    assert answer(model, 300) == before
    assert answer(model, 300) == before
    assert len(asked) == 1


def test_another_number_format_has_a_form_of_its_own(model, compiled):
    assert answer(model, 100) == 7
    assert answer(model, 1, "bfloat16") != 7
    assert len(compiled) == 1
