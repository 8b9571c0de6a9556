"""Losses and networks of another package: the one in the documentation, installed."""

import dataclasses
import math
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core.config import ModelConfig
from napari_microus.core.config.loss import LossConfig, loss_names
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import CheckpointError, ConfigError, InputError
from napari_microus.core.extensions import LOSSES, NETWORKS, offered, provider
from napari_microus.core.library import list_models, load_model
from napari_microus.core.models import create_model, logits_of
from napari_microus.core.predict import predict
from napari_microus.core.study import split_in_folds
from napari_microus.core.train import resume, train
from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.fingerprint import Fingerprint
from napari_microus.core.train.folds import train_folds

PACKAGE = Path(__file__).parents[2] / "docs" / "example_package"
POINTS = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def install(place, name, version, points, *modules):
    """Put modules where Python finds them, with what an installer writes beside."""
    place.mkdir(exist_ok=True)
    for module in modules:
        shutil.copy(module, place)
    info = place / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(text)
    lines = []
    for group, entries in points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return info


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example package, installed; returns how to take it away again."""
    place = tmp_path / "site-packages"
    module = PACKAGE / "microus_example.py"
    install(place, POINTS["name"], POINTS["version"], POINTS["entry-points"], module)
    monkeypatch.syspath_prepend(str(place))
    yield lambda: sys.path.remove(str(place))
    sys.modules.pop("microus_example", None)


@pytest.fixture
def config(example, tiny):
    """A run with the package's own network and loss."""
    network = {
        "architecture": "plain_unet",
        "baseline": {"image_size": 32, "options": {"width": 4}},
    }
    return tiny(
        model=network, loss={"name": "squared_error", "options": {"inside": 2.0}}
    )


def test_they_are_known_by_their_names(example):
    assert offered(LOSSES) == ("squared_error",)
    assert offered(NETWORKS) == ("monai_unet", "plain_unet")
    assert loss_names()[-1] == "squared_error"
    assert provider(NETWORKS, "plain_unet") == "microus-example 1.0"


def test_the_loss_is_the_one_of_the_package(example):
    # One pixel of the capsule at p = 1/2, one beside it, one undecided.
    expert = torch.tensor([1.0, 0.0, 255.0]).view(1, 1, 1, 3)
    settings = LossConfig(
        name="squared_error", options={"inside": 3.0}, deep_supervision=False
    )
    loss = create_criterion(settings)(torch.zeros_like(expert), expert)
    # (3 · 1/4 + 1 · 1/4) / 4, and nothing of the third.
    assert loss.item() == pytest.approx(0.25)
    apart = torch.tensor([math.log(3), 0.0, 9.0]).view(1, 1, 1, 3)  # p = 3/4
    loss = create_criterion(settings)(apart, expert)
    assert loss.item() == pytest.approx((3 / 16 + 1 / 4) / 4)


def test_a_network_of_monais_is_offered_as_it_is(example):
    options = {"channels": [4, 8], "strides": [2]}
    settings = ModelConfig.from_dict(
        {"architecture": "monai_unet", "baseline": {"options": options}}
    )
    network = create_model(settings)
    assert logits_of(network(torch.zeros(1, 1, 32, 32))).shape == (1, 1, 32, 32)
    volumes = ModelConfig.from_dict(
        {
            "architecture": "monai_unet",
            "baseline": {"options": options, "spatial_dims": 3, "in_channels": 2},
        }
    )
    output = create_model(volumes)(torch.zeros(1, 2, 32, 32, 32))
    assert output.shape == (1, 1, 32, 32, 32)


def test_a_run_learns_saves_and_segments_with_them(config, drain, case_of, example):
    _, result = drain(train(config))

    kept = yaml.safe_load((result.model / "config.yaml").read_text(encoding="utf-8"))
    assert kept["architecture"] == "plain_unet"
    assert kept["options"]["options"] == {"width": 4}
    assert kept["provided_by"] == "microus-example 1.0"
    assert kept["training"]["loss"]["name"] == "squared_error"
    card = (result.model / "model_card.md").read_text(encoding="utf-8")
    assert "plain_unet (microus-example 1.0), 32 px input" in card
    assert "squared_error (microus-example 1.0)" in card
    code = Fingerprint.read(result.run).code
    assert code["microus-example"] == "1.0"
    assert len(code["microus-example's source"]) == 64

    model = load_model(result.model)
    scan, _, _ = case_of(0)
    _, found = drain(predict(model, scan, precision="float32"))
    assert found.probability.array.shape == scan.shape
    # The same weights asked in plain PyTorch.
    weights = model.network.network
    assert weights.fine.weight.shape == (4, 1, 3, 3)
    assert np.isfinite(found.probability.array).all()


def test_a_run_goes_on_and_notices_another_package(config, drain, example, tmp_path):
    _, result = drain(train(config))
    _, again = drain(resume(result.run))
    assert again.state == "finished"

    with (tmp_path / "site-packages" / "microus_example.py").open("a") as file:
        file.write("\n# changed\n")
    with pytest.raises(InputError, match="microus-example's source changed"):
        drain(resume(result.run))


def test_a_fine_tuned_network_keeps_its_package(config, drain, example, tmp_path):
    _, result = drain(train(config))
    changes = {"start": str(result.model), "output": str(tmp_path / "tuned")}
    _, tuned = drain(train(config.with_changes(changes)))
    kept = yaml.safe_load(
        (tuned.run / "model" / "config.yaml").read_text(encoding="utf-8")
    )
    assert kept["provided_by"] == "microus-example 1.0"


def test_without_the_package_one_sentence_says_what_to_install(
    config, drain, example, monkeypatch, tmp_path
):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    _, result = drain(train(dataclasses.replace(config, to_library=True)))
    example()

    sentence = r"'plain_unet' comes from the package microus-example 1\.0"
    with pytest.raises(CheckpointError, match=sentence):
        load_model(result.model)
    listed = next(model for model in list_models() if model.name == "tiny")
    assert "not installed" in listed.problem
    with pytest.raises(ConfigError, match=r"architecture must be one of 'transunet'"):
        drain(resume(result.run))


def test_an_ensemble_of_them_needs_the_package_too(
    config, drain, example, study_of, tmp_path
):
    study = study_of(4)
    split_in_folds(study, 2)
    changes = {"epochs": 1, "data": {"study": str(study.folder)}}
    _, found = drain(train_folds(config.with_changes(changes)))
    assert len(load_model(found.model).network.members) == 2
    example()
    with pytest.raises(CheckpointError, match="comes from the package"):
        load_model(found.model)


def test_names_that_nobody_offers_are_refused_with_those_there_are(example):
    known = "'tversky', 'squared_error'; got 'squared'"
    with pytest.raises(ConfigError, match=f"loss.name must be one of .*{known}"):
        TrainConfig.from_dict({"loss": {"name": "squared"}})
    known = "'swin_unetr', 'monai_unet', 'plain_unet'; got 'unet'"
    with pytest.raises(ConfigError, match=f"architecture must be one of .*{known}"):
        ModelConfig("unet")
    done = CliRunner().invoke(app, ["train", "--set", "loss.name=squared"])
    assert isinstance(done.exception, ConfigError)


def test_options_are_for_other_packages_alone():
    with pytest.raises(ConfigError, match=r"loss\.options are for a loss of another"):
        LossConfig(options={"gamma": 1})
    with pytest.raises(ConfigError, match="options are for a network of another"):
        ModelConfig.from_dict(
            {"architecture": "basic_unet", "baseline": {"options": {"a": 1}}}
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"inner": 1}, "got TypeError from 'squared_error'.*microus-example"),
    ],
)
def test_wrong_options_are_one_sentence(example, options, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        create_criterion(LossConfig(name="squared_error", options=options))
    assert "\n" not in str(caught.value)


def test_what_the_settings_decide_is_no_option(example):
    settings = ModelConfig.from_dict(
        {"architecture": "plain_unet", "baseline": {"options": {"in_channels": 3}}}
    )
    with pytest.raises(ConfigError, match="got in_channels"):
        create_model(settings)


BROKEN = """
import torch
def no_module():
    return 3
def no_number():
    class Loss(torch.nn.Module):
        def forward(self, logits, expert, nonexpert=None):
            return logits
    return Loss()
"""


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A package whose losses are none, and one that offers a name twice."""
    module = tmp_path / "broken_losses.py"
    module.write_text(BROKEN)
    points = {
        "no_module": "broken_losses:no_module",
        "no_number": "broken_losses:no_number",
        "not_there": "broken_losses:nothing",
        "dice": "broken_losses:no_module",
        "twice": "broken_losses:no_module",
    }
    place = tmp_path / "broken"
    install(place, "broken", "2", {LOSSES: points}, module)
    install(place, "other", "1", {LOSSES: {"twice": "broken_losses:no_module"}})
    monkeypatch.syspath_prepend(str(place))
    yield
    sys.modules.pop("broken_losses", None)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no_module", r"must give a torch\.nn\.Module; got a int from 'no_module'"),
        ("not_there", "got AttributeError from 'not_there'"),
    ],
)
def test_a_factory_that_makes_no_module_is_named(broken, name, sentence):
    with pytest.raises(ConfigError, match=sentence):
        create_criterion(LossConfig(name=name))


def test_a_loss_that_is_no_number_is_named(broken):
    loss = create_criterion(LossConfig(name="no_number", deep_supervision=False))
    mask = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ConfigError, match=r"one number.*got \(1, 1, 4, 4\)"):
        loss(mask, mask)


def test_a_name_of_two_packages_is_refused_and_ours_go_first(broken):
    with pytest.raises(ConfigError, match="'twice' of broken, other"):
        LossConfig(name="twice")
    mask = torch.zeros(1, 1, 4, 4)
    assert create_criterion(LossConfig(name="dice"))(mask, mask).ndim == 0


def test_nothing_of_a_package_is_imported_before_it_is_used(example):
    code = (
        "import sys; from napari_microus.core.config import TrainConfig;"
        "from napari_microus.core.config.loss import loss_names; loss_names();"
        "TrainConfig.from_dict({'loss': {'name': 'squared_error'}});"
        "assert 'microus_example' not in sys.modules"
    )
    path = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code], check=True, env=path)
