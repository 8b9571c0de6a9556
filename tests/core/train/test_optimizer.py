"""Which weights move, by how much, with the numbers of a step worked out by hand."""

import pytest
import torch
from torch import nn

from napari_microus.core.config.optimizer import OptimizerConfig
from napari_microus.core.train import engine, step, train
from napari_microus.core.train.optimizer import create_optimizer


class Line(nn.Module):
    """y = w x + b, from w = 2 and b = 1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0]]))
        self.bias = nn.Parameter(torch.tensor([1.0]))


def stepped(config, gradients):
    """Give (weight, bias) after each step with the gradients given."""
    network = Line()
    optimizer = create_optimizer(network, config)
    found = []
    for weight, bias in gradients:
        network.weight.grad = torch.tensor([[weight]])
        network.bias.grad = torch.tensor([bias])
        optimizer.step()
        found.append((network.weight.item(), network.bias.item()))
    return found


def test_sgd_keeps_its_momentum_and_decays_every_weight():
    config = OptimizerConfig(learning_rate=0.1, momentum=0.5, weight_decay=0.01)
    first, second = stepped(config, [(1.0, -2.0), (0.5, 0.0)])
    # v = 0.5 v + g + 0.01 w;  w -= 0.1 v
    assert first == pytest.approx((2 - 0.1 * 1.02, 1 - 0.1 * -1.99))
    weight = 1.898 - 0.1 * (0.5 * 1.02 + 0.5 + 0.01 * 1.898)
    bias = 1.199 - 0.1 * (0.5 * -1.99 + 0.0 + 0.01 * 1.199)
    assert second == pytest.approx((weight, bias))


def test_adamw_decays_weights_beside_the_step_and_spares_biases():
    config = OptimizerConfig(name="adamw", learning_rate=0.1, weight_decay=0.2)
    (first,) = stepped(config, [(3.0, -5.0)])
    # A first step of Adam is the rate in the direction of the gradient's sign.
    assert first == pytest.approx((2 * (1 - 0.1 * 0.2) - 0.1, 1 + 0.1))


def test_adam_decays_by_way_of_the_gradient():
    config = OptimizerConfig(name="adam", learning_rate=0.1, weight_decay=0.2)
    (first,) = stepped(config, [(-0.3, 0.0)])
    # -0.3 + 0.2 · 2 = 0.1 and 0 + 0.2 · 1 = 0.2: both gradients are positive now.
    assert first == pytest.approx((1.9, 0.9))


def test_each_block_nearer_to_the_input_learns_at_a_part_of_the_next_ones_rate():
    network = nn.Sequential(
        nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 1)
    )
    config = OptimizerConfig(name="adamw", layer_decay=0.5)
    groups = create_optimizer(network, config).param_groups
    scales = {id(p): group["scale"] for group in groups for p in group["params"]}
    found = {name: scales[id(p)] for name, p in network.named_parameters()}
    for part in ("weight", "bias"):
        assert [found[f"{block}.{part}"] for block in (0, 2, 3)] == [0.25, 0.5, 1.0]


def test_blocks_are_numbered_layers_or_else_two_levels_of_names():
    network = nn.ModuleDict(
        {
            "stem": nn.ModuleDict({"conv": nn.Linear(1, 1)}),
            "layers": nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))]),
            "head": nn.ModuleDict({"out": nn.Linear(1, 1)}),
        }
    )
    groups = create_optimizer(network, OptimizerConfig(layer_decay=0.1)).param_groups
    # The two linear layers of layers.0 are one block.
    found = [(group["scale"], len(group["params"])) for group in groups]
    assert found == [(pytest.approx(0.01), 2), (pytest.approx(0.1), 4), (1.0, 2)]


def test_a_run_gives_each_group_its_part_of_the_rate(tiny, drain, monkeypatch):
    seen, make_step = [], engine.make_step

    def watched(learner, *args):
        seen.append([(g["lr"], g["scale"]) for g in learner.optimizer.param_groups])
        return make_step(learner, *args)

    monkeypatch.setattr(engine, "make_step", watched)
    changes = {"learning_rate": 0.003, "layer_decay": 0.5, "schedule": "poly"}
    config = tiny(epochs=1).with_changes({"optimizer": changes | {"power": 1.0}})
    drain(train(config))
    assert len({scale for _, scale in seen[0]}) > 2
    for number, groups in enumerate(seen):  # three steps: 0.003, 0.002, 0.001
        for rate, scale in groups:
            assert rate == pytest.approx((3 - number) * 1e-3 * scale)


@pytest.mark.parametrize(("clip", "norm"), [(0.25, 0.25), (1e6, None), (None, None)])
def test_gradients_are_cut_to_the_norm_that_is_set(
    tiny, drain, monkeypatch, clip, norm
):
    norms, raw = [], []
    accumulate, make_step = step._accumulate, engine.make_step

    def length(network):
        squares = [p.grad.double().square().sum() for p in network.parameters()]
        return float(sum(squares).sqrt())

    def enlarged(learner, *args):
        result = accumulate(learner, *args)
        for parameter in learner.network.parameters():
            parameter.grad.mul_(50)
        raw.append(length(learner.network))
        return result

    def watched(learner, *args):
        result = make_step(learner, *args)
        norms.append(length(learner.network))
        return result

    monkeypatch.setattr(step, "_accumulate", enlarged)
    monkeypatch.setattr(engine, "make_step", watched)
    drain(train(tiny(epochs=1).with_changes({"optimizer": {"clip_norm": clip}})))
    assert min(raw) > 0.25
    expected = raw if norm is None else [norm] * len(raw)
    assert norms == pytest.approx(expected, rel=1e-4)
