import math
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn

from drained import drained as drain
from napari_microus.core.errors import CheckpointError, ConfigError, InputError
from napari_microus.core.events import Notice, Progress
from napari_microus.core.library import LoadedModel
from napari_microus.core.predict import Prediction, predict
from napari_microus.core.predict.networks import Panel, _fast
from napari_microus.core.volume import Volume

SIZE = 32


class Brightness(nn.Module):
    """A network whose logit is the resized intensity's distance to one half."""

    def __init__(self, gain=20.0):
        super().__init__()
        self.image_size = SIZE
        self.gain = nn.Parameter(torch.tensor(gain))
        self.batches = []

    def forward(self, frames):
        self.batches.append(tuple(frames.shape))
        return self.gain * (frames - 0.5), frames  # logits first, as TransUNet


def run(model, volume, **settings):
    return drain(predict(model, volume, device="cpu", **settings))[0]


def discs(frames=5, shape=(60, 90)):
    """A scan with a bright disc in each frame, a speck beside it and a hole in it."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    array = np.zeros((frames, *shape), dtype=np.uint8)
    for frame in array:
        frame[np.hypot(y - 30, x - 40) < 20] = 255
        frame[np.hypot(y - 30, x - 40) < 6] = 0
        frame[10:20, 75:85] = 255
    return array


@pytest.fixture
def scan():
    affine = np.array(
        [[-0.3, 0.1, 0, 5], [0, -0.2, 0.4, 6], [0, 0, 2, 7], [0, 0, 0, 1]]
    )
    return Volume(discs(), affine)


def reference(array, *, largest=True, holes=True, cut=0.0, gain=20.0):
    """The same by PyTorch and SciPy, a frame at a time."""
    masks = []
    for frame in array:
        image = torch.from_numpy(frame.astype(np.float32))[None, None] / 255
        small = F.interpolate(image, (SIZE, SIZE), mode="bilinear", antialias=True)
        logits = F.interpolate(
            gain * (small - 0.5), frame.shape, mode="bilinear", align_corners=False
        )
        mask = (logits[0, 0] > cut).numpy()
        if largest:
            labels, _ = ndimage.label(mask)
            mask = labels == 1 + np.bincount(labels[labels > 0] - 1).argmax()
        if holes:
            mask = ndimage.binary_fill_holes(mask)
        masks.append(mask)
    return np.array(masks)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("holes", [True, False])
def test_mask_is_that_of_torch_and_scipy(scan, largest, holes):
    result = run(
        Brightness(),
        scan,
        largest_component=largest,
        fill_holes=holes,
        precision="float32",
    )
    expected = reference(scan.array, largest=largest, holes=holes)
    assert result.mask.array.dtype == np.uint8
    np.testing.assert_array_equal(result.mask.array, expected)


def test_mask_and_probability_lie_on_the_scans_grid(scan):
    result = run(Brightness(), scan)
    assert isinstance(result, Prediction)
    for volume in (result.mask, result.probability, result.uncertainty):
        assert volume.shares_grid(scan)
        assert volume.has_geometry


def test_probability_is_the_sigmoid_of_the_enlarged_logits(scan):
    probability = run(Brightness(), scan, precision="float32").probability.array
    image = torch.from_numpy(scan.array.astype(np.float32))[:, None] / 255
    small = F.interpolate(image, (SIZE, SIZE), mode="bilinear", antialias=True)
    logits = F.interpolate(20 * (small - 0.5), scan.shape[1:], mode="bilinear")
    expected = torch.sigmoid(logits)[:, 0].numpy()
    np.testing.assert_allclose(probability, expected, atol=5e-4)


def test_uncertainty_is_the_entropy_in_bits():
    # Logit 0 everywhere is a coin flip: one bit; a logit of +-10 is nearly none.
    ramp = np.tile(np.linspace(0, 255, SIZE, dtype=np.uint8), (1, SIZE, 1))
    assert run(Brightness(0.0), Volume(ramp)).uncertainty.array == pytest.approx(1)
    entropy = run(Brightness(), Volume(ramp), precision="float32").uncertainty.array
    p = 1 / (1 + math.exp(-20 * (ramp[0, 0, 18] / 255 - 0.5)))
    expected = -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    assert entropy[0, 0, 18] == pytest.approx(expected, abs=1e-3)
    assert entropy[0, 0, 0] < 1e-2


def test_threshold_is_a_probability(scan):
    cut = math.log(0.9 / 0.1)
    result = run(Brightness(), scan, threshold=0.9, precision="float32")
    np.testing.assert_array_equal(
        result.mask.array, reference(scan.array, cut=cut).astype(np.uint8)
    )


def test_one_frame_alone_is_the_same_as_among_all(scan):
    array = scan.array.astype(np.float32)
    array[2] *= 0.6  # its own maximum is not the scan's
    volume = scan.like(array)
    whole = run(Brightness(), volume).mask.array
    one = run(Brightness(), volume, frames=2).mask.array
    np.testing.assert_array_equal(one[2], whole[2])
    assert not one[[0, 1, 3, 4]].any()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_batches_do_not_change_the_mask(scan, batch_size):
    model = Brightness()
    result = run(model, scan, batch_size=batch_size, precision="float32")
    np.testing.assert_array_equal(result.mask.array, reference(scan.array))
    assert sum(shape[0] for shape in model.batches) == 5
    assert max(shape[0] for shape in model.batches) == min(batch_size, 5)


def test_progress_counts_every_batch(scan):
    _, events = drain(predict(Brightness(), scan, device="cpu", batch_size=2))
    assert [(e.done, e.total) for e in events] == [(0, 5), (2, 5), (4, 5), (5, 5)]
    assert {type(e) for e in events} == {Progress}


def test_the_first_frame_comes_alone_and_changes_nothing(scan):
    plain = run(Brightness(), scan, batch_size=2)
    out, model = np.zeros(scan.shape, np.uint8), Brightness()
    work = predict(model, scan, device="cpu", batch_size=2, first=3, out=out)
    assert next(work).done == 0
    assert next(work).done == 1
    assert [len(frame) for frame in map(np.unique, out)] == [1, 1, 1, 2, 1]
    np.testing.assert_array_equal(out[3], plain.mask.array[3])
    found, _ = drain(work)
    assert [shape[0] for shape in model.batches] == [1, 2, 2]
    assert found.mask.array is out
    assert found.frames == plain.frames
    np.testing.assert_array_equal(out, plain.mask.array)
    torch.testing.assert_close(found.logits, plain.logits)


def test_a_first_frame_that_is_not_asked_for_has_no_effect(scan):
    model = Brightness()
    run(model, scan, batch_size=2, frames=(0, 1, 2), first=4)
    assert [shape[0] for shape in model.batches] == [2, 1]


@pytest.mark.parametrize(
    "out", [np.zeros((5, 60, 89), np.uint8), np.zeros((5, 60, 90))]
)
def test_an_out_of_another_kind_is_refused(scan, out):
    with pytest.raises(InputError, match="out must be an array of uint8 with shape"):
        run(Brightness(), scan, out=out)


def test_closing_cancels_and_restores_the_training_mode(scan):
    model = Brightness().train()
    work = predict(model, scan, device="cpu", batch_size=1)
    next(work)
    next(work)
    assert not model.training
    work.close()
    assert model.training
    assert len(model.batches) == 1


def test_a_constant_frame_in_a_scan_is_empty(scan):
    array = scan.array.copy()
    array[3] = 0
    assert not run(Brightness(), scan.like(array)).mask.array[3].any()


@pytest.mark.parametrize(
    "dtype", ["uint16", ">i2", "int32", "float16", "float64", ">f4", "bool", "uint64"]
)
def test_every_real_dtype_is_taken(scan, dtype):
    array = (scan.array > 0).astype(dtype)
    result = run(Brightness(), scan.like(array), precision="float32")
    np.testing.assert_array_equal(result.mask.array, reference(scan.array))


def test_a_read_only_scan_stays_untouched(scan):
    scan.array.setflags(write=False)
    run(Brightness(), scan)


def test_a_loaded_model_is_taken(scan):
    model = LoadedModel(Brightness(), "tiny", "1", {}, "", {})
    np.testing.assert_array_equal(
        run(model, scan, precision="float32").mask.array, reference(scan.array)
    )


def test_several_models_answer_with_their_mean_probability():
    ramp = Volume(np.tile(np.linspace(0, 255, SIZE, dtype=np.uint8), (1, SIZE, 1)))
    gains = (2.0, 30.0)
    single = [
        run(Brightness(g), ramp, precision="float32").probability.array for g in gains
    ]
    both = run([Brightness(g) for g in gains], ramp, precision="float32")
    np.testing.assert_allclose(
        both.probability.array.astype(float),
        np.mean([p.astype(float) for p in single], axis=0),
        atol=1e-3,
    )


class LeftIsGland(nn.Module):
    """A network that answers by the column, whatever it sees."""

    image_size = SIZE

    def forward(self, frames):
        column = torch.linspace(3, -3, SIZE)
        return column.expand(frames.shape).clone()


def test_flip_averages_with_the_mirrored_frame(scan):
    plain = run(LeftIsGland(), scan, precision="float32").probability.array
    flipped = run(LeftIsGland(), scan, flip=True, precision="float32").probability.array
    assert plain[0, 0, 0] > 0.9
    assert flipped == pytest.approx(flipped[..., ::-1], abs=1e-3)


class Fussy(Brightness):
    """A network with memory for two frames."""

    def forward(self, frames):
        if len(frames) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(frames)


def test_short_memory_halves_the_batch_and_continues(scan):
    work = predict(Fussy(), scan, device="cpu", precision="float32")
    result, events = drain(work)
    np.testing.assert_array_equal(result.mask.array, reference(scan.array))
    assert [e.message for e in events if isinstance(e, Notice)] == [
        "Memory is short: 2 frames at once from here."
    ]


def test_what_the_device_holds_is_given_back_before_fewer_are_tried(scan, monkeypatch):
    given_back = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    run(Fussy(), scan, precision="float32")
    assert given_back == [True]


def test_no_memory_for_one_frame_is_an_error(scan):
    class Full(Brightness):
        def forward(self, frames):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(RuntimeError, match="One frame must fit"):
        run(Full(), scan)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: np.where(a > 0, np.nan, 0.0), "must be finite"),
        (lambda a: np.where(a > 0, np.inf, 0.0), "must be finite"),
        (lambda a: a * 0, "more than one intensity; got 0"),
        (lambda a: a.astype(complex), "must be real numbers; got complex128"),
        (lambda a: a.astype(object), "must be real numbers; got object"),
    ],
)
def test_a_scan_without_sense_is_refused(scan, change, words):
    with pytest.raises(InputError, match=words):
        run(Brightness(), scan.like(change(scan.array)))


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (5, "between 0 and 4; got 5"),
        ([0, -1], "got -1"),
        ([], "got none"),
        ([1.5], "whole numbers"),
        ("12", "whole numbers"),
    ],
)
def test_frames_that_are_not_there_are_refused(scan, frames, words):
    with pytest.raises(InputError, match=words):
        run(Brightness(), scan, frames=frames)


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"precision": "float8"},
    ],
)
def test_settings_out_of_range_are_refused(scan, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        run(Brightness(), scan, **settings)


def test_a_network_of_another_shape_is_refused(scan):
    class Classes(Brightness):
        def forward(self, frames):
            return frames.expand(-1, 2, -1, -1)

    with pytest.raises(CheckpointError, match="one logit a pixel"):
        run(Classes(), scan)


def test_folds_of_two_sizes_are_refused(scan):
    other = Brightness()
    other.image_size = 64
    with pytest.raises(InputError, match=r"one size; got \[32, 64\]"):
        run([Brightness(), other], scan)
    with pytest.raises(InputError, match="at least one model"):
        run([], scan)


def test_reduced_precision_is_chosen_only_where_it_is_native(monkeypatch):
    cpu = torch.device("cpu")
    for is_native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(
            "napari_microus.core.predict.networks.multiplies_bfloat16",
            lambda device, native=is_native: native,
        )
        assert Panel([Brightness()], cpu).dtype is dtype


class Layers(Brightness):
    """Brightness seen through convolutions that keep it, with noise in the weights."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(*(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6)))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight[range(8), range(8), 1, 1] += 1

    def forward(self, frames):
        seen = self.layers(frames.expand(-1, 8, -1, -1)).mean(1, keepdim=True)
        return self.gain * (seen - 0.5)


def test_bfloat16_draws_nearly_the_same_capsule(scan):
    exact = run(Layers(), scan, precision="float32")
    reduced = run(Layers(), scan, precision="bfloat16")
    assert not torch.equal(exact.logits, reduced.logits)

    plain, fast = exact.mask.array > 0, reduced.mask.array > 0
    assert 0.05 < plain.mean() < 0.5
    dice = 2 * (plain & fast).sum() / (plain.sum() + fast.sum())
    assert dice >= 0.995


_SOURCE = """
from torch import nn
class Brightness(nn.Module):
    image_size = 224
    def forward(self, frames): return 20 * (frames - 0.5)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_memory_is_that_of_the_mask_and_not_of_the_scan_in_floats():
    # 40 frames: 50 MiB of scan and 50 of mask; as float32 they would be 200 more.
    code = """
import resource, numpy as np, torch
SOURCE
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume
scan = Volume(np.random.default_rng(0).integers(0, 255, (40, 962, 1372), np.uint8))
def run(frames):
    for _ in predict(Brightness(), scan, device="cpu", frames=frames): pass
run(range(8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(None)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
""".replace("SOURCE", _SOURCE)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 100


def small_network():
    from napari_microus.core.config import TransUNetConfig
    from napari_microus.core.models.transunet import TransUNet

    torch.manual_seed(0)
    config = TransUNetConfig.small(
        image_size=32, hidden_size=16, num_heads=2, num_layers=1, width=8
    )
    return TransUNet(config)


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_fast_form_answers_as_the_network_does(wrapped):
    network = small_network()
    scan = Volume(discs(17))  # enough frames to prepare for
    model = LoadedModel(network, "x", "1", {}, "", {}) if wrapped else network
    ours = run(model, scan, precision="float32").logits

    images = torch.from_numpy(scan.array.astype(np.float32))[:, None] / 255
    images = F.interpolate(images, (32, 32), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network.eval()(images).logits
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)


def test_one_fast_form_of_a_model_is_kept_at_a_time():
    model = LoadedModel(small_network(), "x", "1", {}, "", {})
    scan = Volume(discs(2))
    plain = run(model, scan, precision="float32").logits
    run(model, scan, precision="bfloat16")
    assert _fast[model].key[1] is torch.bfloat16  # alone: each holds the weights again
    again = run(model, scan, precision="float32").logits
    torch.testing.assert_close(again, plain)
    assert _fast[model].key[1] is torch.float32


def test_a_module_trained_on_answers_anew():
    network = small_network()
    scan = Volume(discs(17))
    before = run(network, scan, precision="float32").logits
    with torch.no_grad():
        network.segmentation_head[0].bias += 1
    after = run(network, scan, precision="float32").logits
    torch.testing.assert_close(after, before + 1, rtol=1e-3, atol=1e-3)


def test_a_network_for_volumes_is_refused(scan):
    model = Brightness()
    model.config = type("Config", (), {"spatial_dims": 3, "image_size": SIZE})
    with pytest.raises(CheckpointError, match="single frames"):
        run(model, scan)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_draws_the_same_capsule(scan):
    ours = drain(predict(Brightness(), scan, device="cuda", precision="float32"))[0]
    assert (ours.mask.array != reference(scan.array)).mean() < 1e-3


def test_frames_of_low_confidence_stay_empty_and_are_reported(scan):
    """Frame 2 is grey: its disc is above 0.5 by little, and nowhere above 0.95."""
    array = scan.array.copy()
    array[2] = np.where(array[2] > 0, 135, 0)
    dim = scan.like(array)
    advice = {"predict": {"min_confidence": 0.3}}
    model = LoadedModel(Brightness(), "m", "1", advice, "", {})
    for asked, drawn in ((None, False), (0.0, True), (0.3, False)):
        found, events = drain(
            predict(model, dim, device="cpu", min_confidence=asked, batch_size=2)
        )
        assert found.mask.array[2].any() == drawn
        assert found.mask.array[[0, 1, 3, 4]].any((1, 2)).all()
        notices = [event.message for event in events if isinstance(event, Notice)]
        assert any("Frame 2 is left empty" in text for text in notices) != drawn


@pytest.mark.parametrize("least", [-0.1, 1.2, float("nan")])
def test_a_confidence_out_of_range_is_refused(scan, least):
    with pytest.raises(ConfigError, match="min_confidence must lie between 0 and 1"):
        run(Brightness(), scan, min_confidence=least)
