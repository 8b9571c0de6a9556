import sys

import pytest
import torch

from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.train import train
from napari_microus.core.train.checkpoint import load_checkpoint, save_checkpoint


def test_a_full_disk_leaves_the_former_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"step": 1})

    def full(state, target):
        target.write_bytes(b"half a")
        raise RuntimeError("PytorchStreamWriter failed writing file: no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="room for a checkpoint"):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path)["step"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_tensorboard_log_without_tensorboard_says_what_to_install(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="package tensorboard"):
        list(train(tiny(tensorboard=True)))


def test_a_tensorboard_log_holds_the_curves(tiny, drain):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, result = drain(train(tiny(tensorboard=True)))
    log = EventAccumulator(str(result.run / "tensorboard")).Reload()
    assert [point.step for point in log.Scalars("epoch/val_dice")] == [1, 2]
    assert len(log.Scalars("step/loss")) == 6
