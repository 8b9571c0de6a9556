"""Training begins with published weights where they are, and says so where not."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

import tiny_network
from napari_microus.core import library
from napari_microus.core.config import ModelConfig, TransUNetConfig, published_weights
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.download import RemoteFile
from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.train.start import resolved, start_network

PAPERS = ("paper", "paper-as-coded", "paper-ag-bce", "paper-focal-as-published")
OTHERS = ("focal", "microsegnet", "best")
TINY = tiny_network.TINY | {"in_channels": 3}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A library without models, and a tiny network in the place of base."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(
        TransUNetConfig, "base", classmethod(lambda cls, **c: cls(**TINY | c))
    )
    return tmp_path


@pytest.fixture
def npz(home, monkeypatch):
    """A file of the published form that fits, known by its digest."""
    from napari_microus.core.models.imagenet21k import _imagenet21k_names

    torch.manual_seed(3)
    network = TransUNet(TransUNetConfig.base())
    own = network.transformer.state_dict()
    arrays = {}
    for key, name in _imagenet21k_names(network).items():
        array = own[key].numpy()
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif array.ndim == 2:
            array = array.T
        arrays[name] = array
    path = home / "downloads" / "R50+ViT-B_16.npz"
    path.parent.mkdir()
    np.savez(path, **arrays)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = RemoteFile("http://127.0.0.1:9/x", path.name, checksum=f"sha256:{digest}")
    monkeypatch.setattr(published_weights, "IMAGENET21K", known)
    return path


def encoder_of(network):
    return network.transformer.embeddings.hybrid_model.root.conv.weight


@pytest.mark.parametrize("name", PAPERS + OTHERS)
def test_the_papers_recipes_begin_with_imagenet_where_it_is_there(name, npz):
    config = TrainConfig.preset(name)
    assert resolved(config).encoder_weights is None
    library.import_model(npz)
    begun = resolved(config)
    assert begun.encoder_weights == str(library.find_published("imagenet21k"))
    assert begun.start is None


def test_the_weights_are_loaded(npz):
    library.import_model(npz)
    torch.manual_seed(0)
    network, config = start_network(TrainConfig.preset("paper", model="base"))
    with np.load(npz) as stored:
        kernel = stored["conv_root/kernel"].transpose(3, 2, 0, 1)
    np.testing.assert_allclose(encoder_of(network).detach(), kernel, rtol=1e-6)
    assert config.encoder_weights.endswith("R50+ViT-B_16.npz")


@pytest.mark.parametrize(("model", "is_changed"), [("small", True), ("base", False)])
def test_start_by_name_takes_the_network_that_fits(npz, model, is_changed):
    library.import_model(npz)
    config = TrainConfig.preset("paper", start="imagenet21k", model=model)
    _, begun = start_network(config)
    assert begun.start is None
    assert begun.model == ModelConfig.base()
    assert (begun.model != config.model) is is_changed
    assert begun.encoder_weights == str(library.find_published("imagenet21k"))


def test_another_network_leaves_the_papers_weights_alone(npz):
    library.import_model(npz)
    assert resolved(TrainConfig.preset("paper", model="small")).encoder_weights is None
    demanded = TrainConfig.preset("paper", model="small", encoder_weights_needed=True)
    with pytest.raises(CheckpointError):
        start_network(demanded)


@pytest.mark.parametrize("name", ["imagenet21k", "resnet50"])
def test_weights_that_are_asked_for_and_missing_are_named(home, name):
    with pytest.raises(ConfigError, match=f"models fetch {name}"):
        resolved(TrainConfig.preset("paper", start=name))


def test_a_file_that_is_not_the_published_one_is_not_taken_for_it(npz):
    with np.load(npz) as stored:
        arrays = dict(stored)
    other = npz.with_name("other.npz")
    np.savez(other, **arrays, more=np.ones(3))
    with pytest.raises(CheckpointError, match="to a byte"):
        library.import_model(other)
    assert library.find_published("imagenet21k") is None


def test_a_published_pth_is_no_model(home, monkeypatch):
    path = home / "any-name.pth"
    torch.save({"conv1.weight": torch.zeros(2)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = dataclasses.replace(
        published_weights.RESNET50,
        size=path.stat().st_size,
        checksum=f"sha256:{digest}",
    )
    monkeypatch.setattr(published_weights, "RESNET50", known)
    assert library.import_model(path).name == known.name
    assert library.find_published("resnet50") is not None
    assert not (home / "models").exists()


def test_a_settled_run_stays_as_it_is(npz):
    """As it is read again from its folder, to continue."""
    library.import_model(npz)
    once = resolved(TrainConfig.preset("paper"))
    assert resolved(once) == once
    assert once.encoder_weights_needed


def test_algorithm_1_takes_them_too():
    known = published_weights.published_weights()
    config = TrainConfig.preset("algorithm-1")
    assert config.encoder_weights == "imagenet21k"
    assert known["imagenet21k"].fits(config.model)
    second = TrainConfig.preset("size-smoothness")
    assert second.encoder_weights == "resnet50"
    assert known["resnet50"].fits(second.model)
