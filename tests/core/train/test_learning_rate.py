"""How fast the weights learn, step by step, by hand and by PyTorch's schedulers."""

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from napari_microus.core.config.optimizer import OptimizerConfig
from napari_microus.core.events import BatchReport, EpochReport
from napari_microus.core.train import train
from napari_microus.core.train.optimizer import learning_rate

QUARTERS = (0, 0.25, 0.5, 0.75, 1)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # 0.8 (1 - t)^2 and 0.8 (1 - t)^(1/2)
        ({"schedule": "poly", "power": 2.0}, (0.8, 0.45, 0.2, 0.05, 0)),
        (
            {"schedule": "poly", "power": 0.5},
            (0.8, 0.692820323, 0.565685425, 0.4, 0),
        ),
        # 0.4 (1 + cos(pi t)), whose cosines are 1, 1/√2, 0, -1/√2, -1
        ({"schedule": "cosine"}, (0.8, 0.682842712, 0.4, 0.117157288, 0)),
        ({"schedule": "constant"}, (0.8, 0.8, 0.8, 0.8, 0.8)),
    ],
)
def test_a_schedule_by_hand_at_each_quarter_of_the_run(settings, expected):
    config = OptimizerConfig(learning_rate=0.8, **settings)
    found = [learning_rate(config, fraction, step=100) for fraction in QUARTERS]
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_the_papers_schedule_is_poly_with_power_nine_tenths():
    # MicroSegNet: base_lr * (1 - iteration / max_iterations) ** 0.9
    config = OptimizerConfig()
    assert learning_rate(config, 0.5, 0) == pytest.approx(0.01 * 0.535886731, rel=1e-8)


@pytest.mark.parametrize(
    ("settings", "scheduler"),
    [
        (
            {"schedule": "poly", "power": 0.9},
            lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 20, power=0.9),
        ),
        (
            {"schedule": "cosine"},
            lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 20),
        ),
    ],
)
def test_every_step_is_as_pytorchs_scheduler_has_it(settings, scheduler):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = scheduler(optimizer)
    config = OptimizerConfig(learning_rate=0.3, **settings)
    for step in range(21):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(config, step / 20, step) == pytest.approx(
            expected, rel=1e-6, abs=1e-12
        )
        optimizer.step()
        theirs.step()


def test_warm_up_rises_in_equal_steps_to_the_schedule():
    config = OptimizerConfig(learning_rate=0.8, schedule="constant", warmup_steps=4)
    rates = [learning_rate(config, step / 8, step) for step in range(8)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.8])


def test_warm_up_multiplies_what_the_schedule_says():
    config = OptimizerConfig(
        learning_rate=0.8, schedule="poly", power=1.0, warmup_steps=2
    )
    # 0.8 · (1 - step/4), the first halved
    rates = [learning_rate(config, step / 4, step) for step in range(4)]
    assert rates == pytest.approx([0.4, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("schedule", ["poly", "cosine", "constant"])
def test_before_the_start_and_past_the_end_the_rate_is_that_of_the_ends(schedule):
    config = OptimizerConfig(schedule=schedule)
    start, end = (learning_rate(config, fraction, 9) for fraction in (0.0, 1.0))
    assert learning_rate(config, -0.5, 9) == start
    assert learning_rate(config, 1.5, 9) == end


def test_a_run_takes_every_step_at_its_rate(tiny, drain):
    # Two epochs of three steps: 0.006 · (1 - step/6), the first two warming up.
    config = tiny().with_changes(
        {
            "optimizer": {
                "learning_rate": 0.006,
                "schedule": "poly",
                "power": 1.0,
                "warmup_steps": 2,
            }
        }
    )
    events, _ = drain(train(config))
    steps = [e.learning_rate for e in events if isinstance(e, BatchReport)]
    assert steps == pytest.approx([0.003, 0.005, 0.004, 0.003, 0.002, 0.001])
    epochs = [e.learning_rate for e in events if isinstance(e, EpochReport)]
    assert epochs == pytest.approx([0.004, 0.001])
