import sys

import pytest
import torch

from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.train import train
from napari_microus.core.train.checkpoint import load_checkpoint, save_checkpoint
from small_disk import files_of_at_most


def test_a_full_disk_leaves_the_former_checkpoint_whole(tmp_path):
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, {"step": 1})

    # PyTorch's own writer would end the process here.
    with (
        files_of_at_most(5000),
        pytest.raises(OutputError, match=r"room for a checkpoint.*File too large"),
    ):
        save_checkpoint(path, {"step": 2, "weights": torch.ones(10_000)})
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
