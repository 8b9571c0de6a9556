"""The report itself lists what differs from the papers, and nothing that does not."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_microus.core.config import TrainConfig
from napari_microus.core.hard_region import hard_region
from napari_microus.core.reproduce.comparison import Comparison, Trained
from napari_microus.core.reproduce.deviations import deviations
from napari_microus.core.reproduce.published import OF_THE_PAPERS
from napari_microus.core.reproduce.report import write_report
from napari_microus.core.reproduce.scoring import CaseRow


def learnt(train, val):
    parts = {f"train_{n}": "train" for n in range(train)}
    parts |= {f"val_{n}": "val" for n in range(val)}
    return SimpleNamespace(cases={name: {"part": p} for name, p in parts.items()})


def comparison(*names, train=55, val=0, tested=20, split="test", **changes):
    random = {"encoder_weights": None}  # as where the file is not on the computer
    recipes = [
        Trained(
            name,
            TrainConfig.preset(name, **random | changes),
            [0.2, 0.1],
            (learnt(train, val),),
            clean_up=name not in OF_THE_PAPERS,
            flip=name == "best",
        )
        for name in names
    ]
    rows = [
        CaseRow(name, f"test_{n}", f"p{n}", 0.9, 2.0, 0.9, 2.0, "mm")
        for name in names
        for n in range(tested)
    ]
    return Comparison(recipes, rows, split, changes, {}, [])


def page_of(found, folder):
    return write_report(found, folder).read_text(encoding="utf-8")


def said_of(found, name):
    return " ".join(text for text, names in deviations(found) if name in names)


def test_as_the_paper_trains_little_is_left_to_state():
    found = comparison("paper", encoder_weights="R50+ViT-B_16.npz")
    said = said_of(found, "paper")
    assert "constant to the gradient" in said
    assert "step 8" in said
    assert "names rotation, flips and intensity, and no size" in said
    assert "bilinearly" in said
    for word in (
        "random",
        "held out",
        "Settings",
        "network is",
        "Clean-up",
        "mirrored",
    ):
        assert word not in said, word


@pytest.mark.parametrize(
    ("changes", "counts", "expected"),
    [
        ({}, {}, "starts from random weights"),
        ({"start": "mine"}, {}, "starts from the model mine"),
        ({"epochs": 2}, {}, "epochs is 2, the paper's 10"),
        ({"optimizer": {"learning_rate": 0.05}}, {}, "learning rate is 0.05"),
        ({"time_limit_s": 300.0}, {}, "time limit s is 300, the paper has none"),
        ({"model": "small"}, {}, "network is another one"),
        ({"augment": {"rotation_deg": 0.0}}, {}, "No augmentation"),
        ({"loss": {"variability": "disagreement"}}, {}, "another formula"),
        ({"loss": {"label_downsampling": "area"}}, {}, "resized by area"),
        ({}, {"train": 44, "val": 11}, "11 of 55 patients are held out"),
        ({}, {"train": 20, "val": 5}, "25 patients to learn from and 20 to measure on"),
        ({}, {"tested": 1}, "55 patients to learn from and 1 to measure on"),
        ({}, {"split": "held-out", "val": 5}, "on which the epoch was chosen"),
    ],
)
def test_every_change_is_reported(changes, counts, expected):
    assert expected in said_of(comparison("paper", **counts, **changes), "paper")


def test_in_folds_the_last_epoch_is_not_said_to_be_chosen():
    def said(**changes):
        return said_of(comparison("paper", split="held-out", val=5, **changes), "paper")

    assert "the epoch with the best DSC on them is kept" in said()
    last = said(epochs=10, validate_every=10)
    assert "the last epoch is kept" in last
    assert "chosen" not in last
    assert "chosen" in said(epochs=10, validate_every=10, time_limit_s=60.0)
    assert "20 patients in folds, each measured by trainings that left it out" in last


def test_a_rate_at_the_edge_of_those_tried_is_said_to_be_there():
    found = comparison("paper", optimizer={"learning_rate": 0.3})
    tried = {0.03: 0.5, 0.1: 0.6, 0.3: 0.7}

    def said(rates):
        recipes = [dataclasses.replace(found.recipes[0], tried=rates)]
        return said_of(dataclasses.replace(found, recipes=recipes), "paper")

    assert "the best of 0.03, 0.1, 0.3" in said(tried)
    assert "It took the largest, so that a better one may lie beyond" in said(tried)
    assert "may lie beyond" not in said(tried | {1.0: 0.6})
    assert "the best of" not in said({0.3: 0.7})


def test_each_sentence_names_its_recipes_alone():
    found = comparison("paper", "paper-as-coded", "microsegnet", "best")
    assert "No augmentation" in said_of(found, "paper-as-coded")
    assert "No augmentation" not in said_of(found, "paper")
    assert "mirrored" in said_of(found, "best")
    assert "Clean-up" in said_of(found, "best")
    assert "Clean-up" not in said_of(found, "microsegnet")
    assert "constant to the gradient" not in said_of(found, "microsegnet")


def test_the_page_lists_them_and_what_the_papers_say_of_each_other(tmp_path):
    page = page_of(comparison("paper", "best"), tmp_path)
    assert page.startswith("# Recipes side by side, from random weights\n")
    assert (
        "quotes MicroSegNet as 0.932 and 2.12 mm; its own paper reports 0.939" in page
    )
    assert "starts from random weights; the papers start from ImageNet's" in page
    assert "(`best`)" in page
    assert "(every recipe)" in page
    begun = comparison("paper", "best", encoder_weights="R50.npz")
    first = page_of(begun, tmp_path).splitlines()[0]
    assert first.endswith("from published ImageNet weights in the encoder")
    mixed = dataclasses.replace(
        begun, recipes=[begun.recipes[0], comparison("best").recipes[0]]
    )
    assert "best from random weights" in page_of(mixed, tmp_path).splitlines()[0]


def test_the_presets_follow_the_paper_and_its_code():
    """The three losses of the paper's tables are trained alike, but for the loss."""
    names = ("paper", "paper-focal-as-published", "paper-ag-bce", "focal")
    presets = [TrainConfig.preset(name).to_dict() for name in names]
    for one in presets:
        one.pop("loss"), one.pop("name")
        assert one == presets[0]
    assert presets[0]["augment"]["rotation_deg"] > 0
    assert presets[0]["augment"]["flip_horizontal"] > 0
    assert presets[0]["augment"]["contrast"] > 0
    coded = TrainConfig.preset("paper-as-coded").to_dict()
    still = TrainConfig().augment
    assert coded["augment"] == still.to_dict()
    assert coded["loss"] == TrainConfig.preset("paper").loss.to_dict()


def test_a_gamma_with_gradient_changes_it_by_what_the_report_says(reference_losses):
    """By autograd, on the inputs of the published implementation's outputs."""
    shares = []
    for number in range(6):
        expert, other, logits = (
            reference_losses[f"case{number}_{name}"]
            for name in ("expert", "nonexpert", "logits")
        )
        hard = torch.from_numpy(hard_region(expert, other, 4)).double()
        y, s = (torch.from_numpy(mask).double() for mask in (expert, other))
        slopes = [
            slope(torch.from_numpy(logits).double(), y, s, hard, f) for f in (0, 1)
        ]
        published = reference_losses[f"case{number}_adaptive_grad_ks4"]
        np.testing.assert_allclose(slopes[0], published, atol=1e-8)
        shares.append(float((slopes[1] - slopes[0]).norm() / slopes[0].norm()))
    assert min(shares) == pytest.approx(0.17, abs=0.005)
    assert max(shares) == pytest.approx(0.30, abs=0.005)


def slope(logits, y, s, hard, is_live):
    logits = logits.clone().requires_grad_()
    p = torch.sigmoid(logits).clamp(1e-6, 1 - 1e-6)
    pt = torch.where(y == 1, p, 1 - p)
    gamma = (1 - p.mean()) + s.mean()
    gamma = gamma if is_live else gamma.detach()
    f = -0.5 * (1 - pt) ** gamma * torch.log(pt + 1e-6)
    ((gamma * (hard * f).sum() + ((1 - hard) * f).sum() / gamma) / y.numel()).backward()
    return logits.grad


@pytest.fixture(scope="module")
def reference_losses():
    with np.load(Path(__file__).parents[2] / "reference" / "losses.npz") as stored:
        return dict(stored)
