import math
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_microus.core.errors import DeviceError, InputError
from napari_microus.core.events import BatchReport, Notice
from napari_microus.core.runs.folder import read_status
from napari_microus.core.train import step, train
from napari_microus.core.train.checkpoint import load_checkpoint
from napari_microus.core.train.frames import FrameCache


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def test_out_of_memory_halves_what_passes_at_once_and_continues(
    tiny, drain, monkeypatch
):
    accumulate, sizes = step._accumulate, []

    def scarce(learner, *rest):
        sizes.append(learner.micro_batch)
        if learner.micro_batch > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return accumulate(learner, *rest)

    monkeypatch.setattr(step, "_accumulate", scarce)
    events, result = drain(train(tiny(epochs=1)))

    assert sizes[:4] == [4, 2, 1, 1]  # once found, the size is kept
    said = [e.message for e in of(events, Notice)]
    assert any("2 at a time; the batch stays 4" in message for message in said)
    assert len(of(events, BatchReport)) == 3
    saved = load_checkpoint(result.run / "checkpoints" / "last.ckpt")
    assert saved["position"]["micro_batch"] == 1


def test_too_little_memory_for_one_frame_is_said(tiny, drain, monkeypatch):
    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(step, "_accumulate", never)
    with pytest.raises(DeviceError, match="fit into the memory of cpu"):
        drain(train(tiny()))
    assert read_status(tiny().output).state == "failed"


def test_a_lost_gpu_is_a_sentence_and_not_a_traceback(tiny, drain, monkeypatch):
    def lost(*_):
        raise RuntimeError("CUDA error: device-side assert triggered\nmore lines")

    monkeypatch.setattr(step, "_accumulate", lost)
    with pytest.raises(DeviceError, match="keep working; got 'CUDA error"):
        drain(train(tiny()))


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_case(
    tiny, drain, monkeypatch
):
    make_batch = step.make_batch

    def poisoned(learner, indices, keys):
        frames, masks = make_batch(learner, indices, keys)
        for place, index in enumerate(indices):
            if index == 5:
                frames[place, 0, 3, 3] = math.nan
        return frames, masks

    frames = FrameCache.names
    monkeypatch.setattr(step, "make_batch", poisoned)
    monkeypatch.setattr(
        FrameCache,
        "names",
        lambda self, indices: [f"{frames(self, indices)[0]}-{i}" for i in indices],
    )
    with pytest.raises(InputError, match=r"finite; got NaN or infinity on phantom-5\."):
        drain(train(tiny()))

    run = read_status(tiny().output)
    assert run.state == "failed"
    saved = load_checkpoint(Path(run.path) / "checkpoints" / "last.ckpt")
    assert all(
        np.isfinite(value.numpy()).all()
        for value in saved["model"].values()
        if value.is_floating_point()
    )
