"""What differs between the papers and the runs that are set beside them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from napari_microus.core.config import ModelConfig
from napari_microus.core.hard_region import KERNEL_SIZES
from napari_microus.core.reproduce.published import (
    COLUMNS,
    OF_THE_PAPERS,
    microsegnet_as_cited,
    published_mean,
    published_setting,
)
from napari_microus.core.statistics import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.reproduce.comparison import Comparison, Trained

# Those whose training the first paper's setting describes.
_SGD = frozenset({*COLUMNS, "microsegnet"})
_WITH_HARD_REGION = frozenset({"adaptive_focal", "ag_bce"})


def deviations(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return sentences on what differs, each with the recipes that it is about.

    Returns
    -------
    list of (str, list of str)
        Sentence and names of recipes; no recipe where it is about the papers.
    """
    found: dict[str, list[str]] = {}
    for recipe in comparison.recipes:
        for look in _LOOKS:
            for sentence in look(recipe, comparison):
                found.setdefault(sentence, []).append(recipe.name)
    for sentence in _of_the_figures(comparison):
        found.setdefault(sentence, [])
    return list(found.items())


def start_words(recipe: Trained) -> str:
    """Return what a recipe's weights were before the first step."""
    config = recipe.config
    if config.start is not None:
        return f"from the model {config.start}"
    if config.encoder_weights is not None:
        return "from published ImageNet weights in the encoder"
    return "from random weights"


def _start(recipe: Trained, _: Comparison) -> list[str]:
    if recipe.config.encoder_weights is not None and recipe.config.start is None:
        return []
    return [
        f"Training starts {start_words(recipe)}; the papers start from ImageNet's "
        "(`napari-microus models fetch imagenet21k`)."
    ]


def _held_out(recipe: Trained, comparison: Comparison) -> list[str]:
    said = []
    setting = published_setting()
    patients = comparison.patients_learnt_from(recipe)
    train, val = len(patients["train"]), len(patients["val"])
    config = recipe.config
    chooses = config.validate_every < config.epochs or config.time_limit_s is not None
    if val:
        epoch = "the epoch with the best DSC on them" if chooses else "the last epoch"
        said.append(
            f"{val} of {train + val} patients are held out of each training, and "
            f"{epoch} is kept. The papers learn from all of their training patients "
            "and name no validation set."
        )
    if comparison.split != "test":
        said.append(
            f"Measured on {comparison.split} cases"
            + (
                ", on which the epoch was chosen: the figures lean to the bright side."
                if comparison.is_chosen_on and chooses
                else "."
            )
        )
    tested = len({row.patient for row in comparison.rows})
    if comparison.split == "held-out":
        said.append(
            f"{counted(tested, 'patient')} in folds, each measured by trainings that "
            f"left it out; the papers have {setting['train_patients']} to learn from "
            f"and {setting['test_patients']} to measure on."
        )
    elif train + val != setting["train_patients"] or tested != setting["test_patients"]:
        said.append(
            f"{counted(train + val, 'patient')} to learn from and {tested} to measure "
            f"on; the papers have {setting['train_patients']} and "
            f"{setting['test_patients']}."
        )
    return said


def _settings(recipe: Trained, _: Comparison) -> list[str]:
    if recipe.origin not in _SGD:
        return []
    config, setting = recipe.config, published_setting()
    ours = {
        "image_size": config.model.image_size,
        "batch_size": config.batch_size,
        "learning_rate": config.optimizer.learning_rate,
        "momentum": config.optimizer.momentum,
        "weight_decay": config.optimizer.weight_decay,
        "epochs": config.epochs,
    }
    said = [
        f"{name.replace('_', ' ')} is {value:g}, the paper's {setting[name]:g}"
        for name, value in ours.items()
        if value != setting[name]
    ]
    for name in ("time_limit_s", "early_stop"):
        value = getattr(config, name)
        if value is not None:
            said.append(f"{name.replace('_', ' ')} is {value:g}, the paper has none")
    if config.data.samples_per_epoch is not None:
        count = config.data.samples_per_epoch
        said.append(f"an epoch draws {count} frames, the paper's takes each once")
    return [f"Settings: {'; '.join(said)}."] if said else []


def _searched(recipe: Trained, comparison: Comparison) -> list[str]:
    if len(recipe.tried) < 2:
        return []  # one rate for all is in the settings
    where = "the validation cases"
    if comparison.split == "held-out":
        where = "the first fold's cases, which are among those measured"
    elif comparison.split == "validation":
        where = "the cases that are measured"
    tried = ", ".join(f"{rate:g}" for rate in recipe.tried)
    rates = recipe.tried
    chosen = recipe.config.optimizer.learning_rate
    edge = ""
    if chosen in (min(rates), max(rates)):
        side = "smallest" if chosen == min(rates) else "largest"
        edge = f" It took the {side}, so that a better one may lie beyond."
    return [
        f"The learning rate is the best of {tried} by DSC on {where}; the paper "
        f"takes 0.01 for every loss and names no search.{edge}"
    ]


def _network(recipe: Trained, _: Comparison) -> list[str]:
    model = recipe.config.model
    if recipe.origin not in OF_THE_PAPERS or recipe.origin == "size-smoothness":
        return []
    if model.architecture == "transunet":
        plain = dataclasses.replace(
            model.transunet,
            image_size=224,
            bottleneck_dilation=False,
            skip_attention=False,
        )
        if plain == ModelConfig.base().transunet:
            return []
    return ["The network is another one than the paper's R50-ViT-B/16 TransUNet."]


def _augmentation(recipe: Trained, _: Comparison) -> list[str]:
    if recipe.origin not in COLUMNS and recipe.origin != "algorithm-1":
        return []
    augment = recipe.config.augment
    varied = (augment.rotation_deg, augment.flip_horizontal, augment.contrast)
    if all(varied):
        return [
            "Augmentation: the paper names rotation, flips and intensity, and no size "
            f"of them; here up to {augment.rotation_deg:g}° and "
            f"{augment.contrast:.0%} of contrast."
        ]
    return ["No augmentation; the paper names rotation, flips and intensity."]


def _measuring(recipe: Trained, _: Comparison) -> list[str]:
    said = []
    if recipe.origin not in OF_THE_PAPERS:
        said.append("Not a recipe of the papers.")
    if recipe.clean_up:
        said.append(
            "Clean-up: the largest part of each frame is kept, its holes are filled, "
            "and the model's own opening, outline and least confidence are used. The "
            "papers' masks are raw."
        )
    if recipe.flip:
        said.append("Averaged with the answer to the mirrored frame.")
    return said


def _loss(recipe: Trained, _: Comparison) -> list[str]:
    loss = recipe.config.loss
    said = []
    kernels = loss.kernel_sizes
    if loss.name in _WITH_HARD_REGION and kernels != KERNEL_SIZES:
        sizes = ", ".join(map(str, kernels))
        published = ", ".join(map(str, KERNEL_SIZES))
        said.append(
            f"The hard region is widened by squares of {sizes} pixels at the four "
            f"scales, the paper's by {published}."
        )
    if loss.name == "adaptive_focal":
        said += [
            "γ is a constant to the gradient, as in the published code; the paper does "
            "not say so. A γ with gradient changes the loss's gradient by 17 to 30 % "
            "of its length on the stored reference inputs.",
            "γ takes the mean of the probability, the sigmoid of the output; step 8 of "
            "the paper's Algorithm 1 names the output without a sigmoid.",
        ]
        if loss.variability != "nonexpert_mean" or loss.per_sample:
            said.append("γ follows another formula than the paper's.")
    if recipe.origin == "paper-focal-as-published":
        said.append(
            "The sigmoid is applied twice, to which the published curve points (its "
            "floor of 0.128); the paper does not say so. `focal` applies it once."
        )
    elif recipe.origin == "focal":
        said.append(
            "The sigmoid is applied once; the published curve's floor of 0.128 points "
            "to twice (`paper-focal-as-published`)."
        )
    if recipe.origin in OF_THE_PAPERS and loss.label_downsampling == "area":
        said.append("Labels are resized by area; the published code truncates them.")
    return said


def _sizes(recipe: Trained, _: Comparison) -> list[str]:
    return [
        "Images are resized with antialiasing and the network's answer comes back to "
        "full size bilinearly; the published code takes nearest neighbour for test "
        "images and for probability maps."
    ]


def _of_the_figures(comparison: Comparison) -> list[str]:
    cited, own = microsegnet_as_cited(), published_mean("microsegnet")
    assert own is not None  # it is known
    said = [
        f"The first paper quotes MicroSegNet as {cited.dice:.3f} and "
        f"{cited.hd95_mm:.2f} mm; its own paper reports {own.dice:.3f} and "
        f"{own.hd95_mm:.2f} mm."
    ]
    if any(row.unit != "mm" for row in comparison.rows):
        said.append(
            "Distances are in pixels where a file states no size; theirs in mm."
        )
    return said


_LOOKS: tuple[Callable[[Trained, Comparison], list[str]], ...] = (
    _start,
    _held_out,
    _settings,
    _searched,
    _network,
    _augmentation,
    _loss,
    _sizes,
    _measuring,
)
