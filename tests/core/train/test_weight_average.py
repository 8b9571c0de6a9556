"""The running average of the weights, against sums worked out by hand."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from napari_microus.core.train import engine, train
from napari_microus.core.train.optimizer import WeightAverage


def scalar(value):
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(value)
    return network


def test_early_steps_count_for_more_and_late_ones_by_the_decay():
    network = scalar(0.0)
    average = WeightAverage(network, decay=0.5)
    found = []
    for step, value in enumerate([1.0, 3.0, -2.0]):
        with torch.no_grad():
            network.weight.fill_(value)
        average.update(step)
        found.append(average.network.weight.item())
    # decay = min(0.5, (1 + step) / (10 + step)) = 1/10, 2/11, 3/12
    first = 1 / 10 * 0 + 9 / 10 * 1
    second = 2 / 11 * first + 9 / 11 * 3
    third = 3 / 12 * second + 9 / 12 * -2
    assert found == pytest.approx([first, second, third])

    with torch.no_grad():
        network.weight.fill_(10.0)
    average.update(step=1000)  # 1001/1010 is above the decay: that one counts
    assert average.network.weight.item() == pytest.approx(0.5 * third + 5)


def test_with_constant_weights_the_rest_of_the_start_shrinks_by_the_decay():
    network = scalar(0.0)
    average = WeightAverage(network, decay=0.9)
    with torch.no_grad():
        network.weight.fill_(1.0)
    for step in range(81, 91):  # from step 81 on (1 + step) / (10 + step) > 0.9
        average.update(step)
    assert 1 - average.network.weight.item() == pytest.approx(0.9**10, rel=1e-5)


def test_running_statistics_are_averaged_and_counts_copied():
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, decay=0.99)
    network.running_mean.fill_(5.0)
    network.num_batches_tracked.fill_(7)
    average.update(step=0)  # decay 1/10
    assert average.network.running_mean.item() == pytest.approx(4.5)
    assert average.network.num_batches_tracked.item() == 7


def test_the_average_is_a_network_of_its_own_that_does_not_learn():
    network = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5)).train()
    average = WeightAverage(network, decay=0.9)
    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    before = network[0].weight.item()
    with torch.no_grad():
        average.network[0].weight.fill_(before + 1)
    average.update(step=0)
    assert network[0].weight.item() == before
    assert network.training


@pytest.mark.parametrize("ema", [0.15, 0.0])
def test_a_run_keeps_the_average_of_its_steps(tiny, drain, monkeypatch, ema):
    seen, make_step = [], engine.make_step

    def watched(learner, *args):
        if not seen:
            seen.append(copied(learner.network))
        result = make_step(learner, *args)
        seen.append(copied(learner.network))
        return result

    def copied(network):
        return {k: v.detach().double().clone() for k, v in network.state_dict().items()}

    monkeypatch.setattr(engine, "make_step", watched)
    config = tiny(epochs=1).with_changes(
        {"optimizer": {"ema": ema, "learning_rate": 0.05}}
    )
    _, result = drain(train(config))

    expected = dict(seen[0])
    for step, weights in enumerate(seen[1:]):
        decay = min(ema, (1 + step) / (10 + step))
        for name in expected:
            expected[name] = decay * expected[name] + (1 - decay) * weights[name]
    kept = load_file(result.model / "model.safetensors")
    moved = 0
    for name, value in kept.items():
        if value.is_floating_point():
            torch.testing.assert_close(
                value.double(), expected[name], rtol=1e-4, atol=1e-6, msg=name
            )
            moved += not torch.equal(value.double(), seen[-1][name])
    assert (moved > 0) == (ema > 0)  # the average is not the last step's weights
