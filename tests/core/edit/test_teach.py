import dataclasses

import numpy as np
import pytest
import torch

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.edit import teach as module
from napari_microus.core.edit.teach import keep, teach
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.library import LoadedModel, load_model
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = TransUNet(TransUNetConfig.light(image_size=32))
    return LoadedModel(network.eval(), "small", "3", {}, "", {})


@pytest.fixture
def case():
    """Bright discs that wander, which the model has never seen."""
    y, x = np.mgrid[:40, :40]
    masks = np.stack([np.hypot(y - 20, x - 12 - 4 * k) < 9 for k in range(5)])
    return Volume.from_spacing(np.where(masks, 220, 40).astype(np.uint8), (1, 1, 1)), (
        masks.astype(np.uint8)
    )


def dice(a, b):
    return 2 * (a & b).sum() / max(1, a.sum() + b.sum())


def test_it_learns_frames_that_it_was_not_shown(model, case, monkeypatch):
    monkeypatch.setattr(module, "_RATE", 4e-3)
    scan, masks = case
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    events = []
    taught = drain(
        teach(model, scan, masks, {1, 3}, device="cpu", time_limit_s=600), events.append
    )
    assert taught.frames == (1, 3)
    assert taught.steps == module._STEPS
    assert [e.done for e in events if isinstance(e, Progress)][-1] == taught.steps
    found = drain(predict(taught.model, scan, device="cpu")).mask.array
    assert dice(found[2] == 1, masks[2] == 1) > 0.8
    # Neither the model nor its statistics and encoder have changed.
    own, new = model.network.state_dict(), taught.model.network.state_dict()
    assert all(torch.equal(own[k], before[k]) for k in before)
    for key in before:
        if "hybrid_model" in key or "running" in key:
            assert torch.equal(new[key], before[key]), key
    assert taught.model.version == "3+taught"


def test_the_time_limit_ends_it(model, case):
    scan, masks = case
    taught = drain(teach(model, scan, masks, {1}, device="cpu", time_limit_s=1e-9))
    assert taught.steps == 0


@pytest.mark.parametrize(
    ("frames", "words"), [((), "at least one frame"), ((9,), "between 0 and 4; got 9")]
)
def test_frames_that_cannot_be_learnt_from_are_refused(model, case, frames, words):
    scan, masks = case
    with pytest.raises(InputError, match=words):
        drain(teach(model, scan, masks, frames, device="cpu"))


def test_another_grid_and_another_network_are_refused(model, case):
    scan, masks = case
    with pytest.raises(InputError, match="must have the scan's shape"):
        drain(teach(model, scan, masks[:3], {1}, device="cpu"))
    other = LoadedModel(torch.nn.Linear(1, 1), "m", "1", {}, "", {})
    with pytest.raises(InputError, match="must be a TransUNet; got Linear"):
        drain(teach(other, scan, masks, {1}, device="cpu"))


def test_a_taught_model_can_be_kept(model, case, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path))
    scan, masks = case
    config = {
        "architecture": "transunet",
        "options": model.network.config.to_dict(),
        "input": {"size": 32},
    }
    named = dataclasses.replace(model, config=config, card="# Where it came from")
    taught = drain(teach(named, scan, masks, {1}, device="cpu", time_limit_s=1e-9))
    folder = keep(taught, "patient 7")
    again = load_model("patient 7")
    assert folder.parent == tmp_path
    assert again.version == "3+taught"
    assert "corrected frames (1)" in again.card
    assert "Where it came from" in again.card
    own = taught.model.network.state_dict()
    for key, value in again.network.state_dict().items():
        assert torch.equal(value, own[key])
    with pytest.raises(OutputError):
        keep(taught, "patient 7")
    with pytest.raises(InputError, match="must be a file's name; got 'a/b'"):
        keep(taught, "a/b")
