import math

import numpy as np
import pytest
import torch
from torch import nn

from drained import drained as drain
from napari_microus.core.library import LoadedModel
from napari_microus.core.predict import predict
from napari_microus.core.predict.along_sweep import REACH, SweepAverage
from napari_microus.core.volume import Volume

SIZE = 32


class Odds(nn.Module):
    """A network whose log-odds are the frame's brightness in its last column.

    The other columns are the picture that frames are compared by.
    """

    def __init__(self):
        super().__init__()
        self.image_size = SIZE
        self.bias = nn.Parameter(torch.zeros(()))
        self.seen = 0

    def forward(self, frames):
        self.seen += len(frames)
        said = 20 * (frames[..., -1:] - 0.5) + self.bias
        return said.expand_as(frames)


def sweep(brightness, seed=0):
    """Frames that look alike but for their last column."""
    picture = np.random.default_rng(seed).integers(0, 256, (SIZE, SIZE))
    array = np.stack([picture] * len(brightness)).astype(np.uint8)
    array[:, :, -1] = np.array(brightness)[:, None]
    return Volume.from_spacing(array, (1.0, 0.1, 0.1))


def segment(scan, **settings):
    model = LoadedModel(Odds(), "m", "1", {"predict": {"along_sweep": True}}, "", {})
    found = drain(predict(model, scan, device="cpu", **settings))[0]
    return found, model.network


def by_hand(scan, frame):
    """The mean of the log-odds with weights exp(-d) c², written out once more."""
    array = scan.array.astype(float)
    total, weights = 0.0, 0.0
    for other in range(max(0, frame - 2), min(len(array), frame + 3)):
        c = np.corrcoef(array[frame].ravel(), array[other].ravel())[0, 1]
        weight = math.exp(-abs(other - frame)) * max(c, 0) ** 2
        total += weight * 20 * (array[other, 0, -1] / 255 - 0.5)
        weights += weight
    return total / weights


def test_the_mean_is_that_of_the_formula():
    # 32 columns are pooled to 48: the small pictures are not quite the frames.
    scan = sweep([140, 120, 200, 60, 150, 100])
    found, _ = segment(scan, largest_component=False)
    for frame in range(6):
        ours = float(found.logits[frame, 0, 0, 0])
        assert ours == pytest.approx(by_hand(scan, frame), abs=0.1)


def test_one_frame_that_differs_is_outvoted_by_its_neighbours():
    scan = sweep([200, 200, 110, 200, 200])
    assert segment(scan)[0].mask.array.all()
    alone = segment(scan, along_sweep=False)[0].mask.array
    assert alone[[0, 1, 3, 4]].all()
    assert not alone[2].any()


def test_frames_that_do_not_look_alike_leave_each_other_alone():
    heap = np.concatenate([sweep([b], seed=b).array for b in (200, 110, 200, 90)])
    heap = Volume.from_spacing(heap, (1.0, 0.1, 0.1))
    assert segment(heap)[0].mask.array.any((1, 2)).tolist() == [True, False] * 2


@pytest.mark.parametrize("first", [None, 0, 4, 8])
@pytest.mark.parametrize("frames", [(4,), (0, 8), (7, 2), None])
def test_a_frame_has_the_same_answer_alone_and_among_all(frames, first):
    scan = sweep([140, 90, 200, 60, 150, 100, 30, 220, 130])
    whole = segment(scan)[0]
    part, network = segment(scan, frames=frames, first=first, batch_size=2)
    assert part.frames == (frames or tuple(range(9)))
    for place, frame in enumerate(part.frames):
        assert torch.allclose(part.logits[place], whole.logits[frame], atol=1e-5)
        assert np.array_equal(part.mask.array[frame], whole.mask.array[frame])
    # No frame passes twice, and none that nobody needs.
    needed = {
        n for f in part.frames for n in range(f - REACH, f + REACH + 1) if 0 <= n < 9
    }
    assert network.seen == len(needed)


def test_the_first_frame_is_drawn_before_all_others():
    scan = sweep([200] * 30)
    model = LoadedModel(Odds(), "m", "1", {"predict": {"along_sweep": True}}, "", {})
    out = np.zeros(scan.shape, np.uint8)
    work = predict(model, scan, device="cpu", first=20, out=out)
    next(work)
    next(work)
    assert np.flatnonzero(out.any((1, 2))).tolist() == [20]
    work.close()


def test_progress_counts_the_frames_that_were_asked_for():
    scan = sweep([200] * 9)
    model = LoadedModel(Odds(), "m", "1", {"predict": {"along_sweep": True}}, "", {})
    work = predict(model, scan, device="cpu", frames=(4, 5), batch_size=3)
    stated = [(event.done, event.total) for event in work]
    assert stated == [(0, 2), (2, 2)]


def test_a_single_picture_and_a_blank_frame_keep_their_own_answer():
    assert segment(sweep([200]))[0].mask.array.all()
    array = np.stack([np.full((SIZE, SIZE), 200)] * 2 + [np.zeros((SIZE, SIZE))])
    blank = Volume.from_spacing(array.astype(np.uint8), (1.0, 0.1, 0.1))
    found = segment(blank)[0]
    assert found.mask.array.any((1, 2)).tolist() == [True, True, False]
    assert torch.isfinite(found.logits).all()


def test_upside_down_frames_are_averaged_too():
    scan = sweep([200, 200, 110, 200, 200])
    turned = scan.like(scan.array[:, ::-1].copy())
    assert segment(turned, probe="bottom")[0].mask.array.all()


def test_memory_holds_each_frame_once():
    work = SweepAverage((3, 4), 100, SIZE)
    assert work.frames == [1, 2, 3, 4, 5, 6]
    assert work.beside(0) == [0, 1, 2]
    assert work.beside(99) == [97, 98, 99]
