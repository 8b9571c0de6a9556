"""What *Compare* shows as the hard region is what the criterion weighs."""

import numpy as np
import pytest
import torch

from napari_microus.core.compare.live import LiveDisagreement
from napari_microus.core.compare.network_grid import network_hard_region
from napari_microus.core.config.data import DataConfig
from napari_microus.core.config.loss import LossConfig
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.events import drain
from napari_microus.core.phantom import make_phantom
from napari_microus.core.study import Study
from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.sources import prepare

SIZE = 224


def centres(values, size=SIZE):
    """Take the scan's pixel under the centre of each of the network's pixels."""
    rows, columns = (
        np.floor((np.arange(size) + 0.5) * edge / size).astype(int)
        for edge in values.shape[1:]
    )
    return values[:, rows][:, :, columns]


@pytest.fixture(scope="module", params=[(481, 686), (962, 1372)], ids=str)
def batch(request, tmp_path_factory):
    """A study of two patients, its masks, and a batch out of the pipeline."""
    folder = tmp_path_factory.mktemp("study")
    study = Study.create(folder)
    cases = {}
    for seed in (1, 2):
        case = make_phantom(seed, frames=3, shape=request.param)
        expert = case.expert.array.copy()
        expert[1, 100:140, 200:260] = 255  # a part that nobody decided
        masks = case.expert.like(expert), case.nonexpert
        study.add_case(f"c{seed}", f"p{seed}", case.scan, *masks)
        cases[f"c{seed}"] = [mask.array for mask in masks]
    split = [c.case for c in study.cases]
    study.cases = [
        type(c)(**{**vars(c), "split": "train" if c.case == split[0] else "val"})
        for c in study.cases
    ]
    study.save()
    config = DataConfig(study=str(folder), cache=str(folder / "cache"))
    data = drain(prepare(config, SIZE))
    _, both = data.frames.batch(np.arange(3))
    return cases[split[0]], both


@pytest.mark.parametrize("kernel_size", [1, 3, 4])
def test_shown_region_is_the_one_the_criterion_weighs(batch, kernel_size):
    """The gradient of AG-BCE at logit 0 is weight / 2 N: hard pixels weigh more."""
    (expert, nonexpert), masks = batch
    shown = centres(network_hard_region(expert, nonexpert, kernel_size))
    criterion = create_criterion(
        LossConfig(
            name="ag_bce",
            hard_weight=4.0,
            deep_supervision=True,
            kernel_sizes=(kernel_size, 1, 1, 1),
        )
    )
    logits = torch.zeros(3, 1, SIZE, SIZE, requires_grad=True)
    coarse = [torch.zeros(3, 1, SIZE >> k, SIZE >> k) for k in (1, 2, 3)]
    criterion((logits, *coarse), masks[:, :1], masks[:, 1:]).backward()
    weight = logits.grad[:, 0].abs().numpy()
    counted = weight > 0
    hard = weight > 0.5 * weight.max()
    assert hard.any()
    assert not hard.all()
    np.testing.assert_array_equal(hard, (shown == 1) & counted)
    undecided = centres((expert == 255) | (nonexpert == 255))
    assert not counted[undecided].all()


def test_live_region_follows_a_stroke_on_the_networks_grid(batch):
    (expert, nonexpert), _ = batch
    first, second = (mask.copy() for mask in (expert, nonexpert))
    live = LiveDisagreement(first, second)
    drain(live.update_all())
    drain(live.widen(4, SIZE))
    np.testing.assert_array_equal(live.hard, network_hard_region(first, second, 4))
    second[2, 5:60, 5:60] = 1
    live.update((slice(2, 3), slice(5, 60), slice(5, 60)))
    np.testing.assert_array_equal(live.hard, network_hard_region(first, second, 4))
    np.testing.assert_array_equal(live.codes, disagreement_map(first, second))


def test_four_pixels_of_the_network_are_17_rows_and_24_columns_of_a_frame():
    one = np.zeros((1, 962, 1372), np.uint8)
    one[0, 400:500, 600:700] = 1
    two = one.copy()
    two[0, 440:480, 640:680] = 0  # a difference of 40 x 40 pixels
    shown = network_hard_region(one, two, 4)[0]
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    height, width = len(rows), len(columns)
    assert abs(height - (40 + 3 * 962 / 224)) <= 962 / 224
    assert abs(width - (40 + 3 * 1372 / 224)) <= 1372 / 224
