"""The model card: what a model is, what it learnt from, and what it is not."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.config import ARCHITECTURES
from napari_microus.core.config.loss import LOSS_NAMES
from napari_microus.core.extensions import LOSSES, NETWORKS, provider
from napari_microus.core.provenance import package_version
from napari_microus.core.statistics import counted, interval_note

if TYPE_CHECKING:
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.fingerprint import Fingerprint
    from napari_microus.core.train.training_data import TrainingData

_PACKAGES = ("torch", "monai", "numpy")


def write_card(
    config: TrainConfig,
    data: TrainingData,
    metrics: dict[str, Any],
    fingerprint: Fingerprint | None = None,
) -> str:
    """Return the card in Markdown; it holds counts, and no patient identifiers."""
    facts = "\n".join(
        f"- {name.replace('_', ' ')}: {value}"
        for name, value in data.provenance.items()
    )
    unit = metrics["validation_distances_in"]
    return f"""# {config.name}

Not for clinical use.

{_what(config, data)} Network:
{_named(NETWORKS, config.model.architecture)}, {_seen(config)} input. Loss:
{_named(LOSSES, config.loss.name)}\
{" with deep supervision" if config.loss.deep_supervision else ""}\
{f" and Dice (weight {config.loss.dice_weight:g})" if config.loss.dice_weight else ""}.
Started from {_start(config)}.

## Data

{facts}

## Measured

On the validation patients, mean over patients of {_measured_on(config)};
95 % intervals are Student's t over patients, from five patients on:

- DSC: {_number(metrics["validation_dice"], 4)}\
{_interval(metrics["validation_dice_interval"], 4)}
- HD95: {_number(metrics["validation_hd95_mm"], 2)} {unit}\
{_interval(metrics["validation_hd95_mm_interval"], 2)}
- cases: {metrics["validation_cases"]}, patients: {metrics["validation_patients"]}\
{_few(metrics["validation_patients"])}
- the annotators' own agreement there (DSC): {_number(metrics["human_dice"], 4)}\
{_glands(metrics)}

The best epoch was chosen on these cases, so that the figures lean to the bright
side; measure on a test set before drawing conclusions.
{_before_and_after(metrics, unit)}
## Made with

Seed {config.seed}, best of {metrics["epochs"]} epochs (number
{metrics["best_epoch"] + 1}), {metrics["training_s"] / 60:.1f} minutes. \
{_versions()}. All settings are in `config.yaml`.
{_fingerprint(fingerprint)}

Licence: that of the training data applies; the code is Apache-2.0.
"""


def _what(config: TrainConfig, data: TrainingData) -> str:
    if config.model.spatial_dims == 2:
        return "Segments the prostate capsule in micro-ultrasound frames."
    names = data.provenance["channels"]
    return f"Segments volumes of the channels {names} (in this order)."


def _named(group: str, name: str) -> str:
    """Return a network or a loss, with the package that it comes from if not ours."""
    ours = ARCHITECTURES if group == NETWORKS else LOSS_NAMES
    package = "" if name in ours else provider(group, name)
    return f"{name} ({package})" if package else name


def _seen(config: TrainConfig) -> str:
    """Return the size of what the network sees at once."""
    if config.model.spatial_dims == 2:
        return f"{config.model.image_size} px"
    spacing = config.data.spacing_mm
    at = "their own voxel size"
    if spacing is not None:
        at = f"{' × '.join(f'{edge:g}' for edge in spacing)} mm"
    return f"{' × '.join(map(str, config.model.patch_size))} voxels at {at} as"


def _measured_on(config: TrainConfig) -> str:
    if config.model.spatial_dims == 2:
        return "the mean over their frames with a\ncapsule"
    return "their volumes with a target, each\nmeasured as a whole"


def _fingerprint(found: Fingerprint | None) -> str:
    """Return the digests by which this run is distinguished from all others."""
    if found is None:
        return "\nIt carries no fingerprint of what it learnt from, and how."
    lines = [f"- {name}: sha256 {digest}" for name, digest in found.parts.items()]
    if found.continued:
        lines.append("- it went on with other code than it began with, unchecked")
    return "\n" + "\n".join(lines)


def _glands(metrics: dict[str, Any]) -> str:
    """Return how many glands were lost, and contours drawn where there is none."""
    glands = metrics.get("validation_glands")
    if not glands:
        return ""
    without = metrics["validation_frames"] - glands
    return (
        f"\n- glands lost: {metrics['validation_glands_lost']} of {glands} frames; "
        f"false contours: {metrics['validation_false_contours']} of {without} frames "
        "without a gland"
    )


def _before_and_after(metrics: dict[str, Any], unit: str) -> str:
    found = metrics.get("before_and_after")
    if found is None:
        return ""
    low, high = found["dice_gain_low"], found["dice_gain_high"]
    interval = "" if low is None else f", 95 % interval {low:+.4f} to {high:+.4f}"
    worst = f"{found['worst_before']:.4f} to {found['worst_after']:.4f}"
    return (
        f"\nBefore fine-tuning the DSC of the {counted(found['patients'], 'patient')} "
        f"was {found['dice_before']:.4f}: a gain of {found['dice_gain']:+.4f}"
        f"{interval}; HD95 was {found['hd95_mm_before']:.2f} {unit}. The worst "
        f"patient's DSC went from {worst}.\n"
    )


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _interval(ends: tuple[float, float] | None, digits: int) -> str:
    """Return an interval over patients, where there are enough of them."""
    if ends is None:
        return ""
    return (
        f" (95 % interval over patients {ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
    )


def _few(patients: int) -> str:
    note = interval_note(patients)
    return f" ({note})" if note else ""


def _versions() -> str:
    named = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    ours = f"napari-microus {package_version()}"
    return f"{ours}, {named}, Python {platform.python_version()}"


def _start(config: TrainConfig) -> str:
    """Return what the weights were before the first step."""
    if config.start is not None:
        return config.start
    if config.encoder_weights is None:
        return "random weights"
    name = Path(config.encoder_weights).name
    return f"{name} in the encoder, and random weights elsewhere"
