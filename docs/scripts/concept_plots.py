"""Draw the plots of docs/concepts and print the numbers on their pages.

Usage: python docs/scripts/concept_plots.py
Takes some seconds. Frames: Jiang et al. 2024, Zenodo 10475293, CC-BY-4.0.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot as plt

from napari_microus.core import colors
from napari_microus.core.compare import staple
from napari_microus.core.compare.network_grid import network_hard_region
from napari_microus.core.losses import AdaptiveFocalLoss
from napari_microus.core.losses.deep_supervision import downsample_mask
from napari_microus.core.preprocess import labels_to_network
from napari_microus.core.samples import read_sweep
from napari_microus.core.sweep import Sweep, even_angles
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import mask_volume

IMAGES = Path(__file__).parents[1] / "images" / "concepts"
FRAME = 5
ANGLES = np.arange(-60, 61, 5)


def save(figure, name):
    figure.savefig(IMAGES / name, dpi=110, bbox_inches="tight")
    plt.close(figure)
    print(IMAGES / name)


def hard_region():
    """Draw a frame, its disagreement, and the hard region of three kernels."""
    sweep = read_sweep()
    image = sweep.scan.array[FRAME]
    first, second = sweep.first.array, sweep.second.array
    differ = (first != second)[FRAME]
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for axis in axes:
        axis.imshow(image, cmap="gray")
        axis.set_axis_off()
    axes[0].contour(first[FRAME], [0.5], colors=colors.EXPERT, linewidths=1.6)
    axes[0].contour(second[FRAME], [0.5], colors=colors.NONEXPERT, linewidths=1.6)
    axes[0].set_title("two outlines")
    shade(axes[1], differ, colors.HARD_REGION)
    axes[1].set_title(f"where they differ: {differ.mean():.1%} of pixels")
    for axis, kernel in zip(axes[2:], (4, 10), strict=True):
        hard = network_hard_region(first, second, kernel)[FRAME] == 1
        shade(axis, hard, colors.HARD_REGION)
        axis.set_title(f"hard region, square of {kernel}: {hard.mean():.1%}")
        print(f"kernel {kernel}: {hard.mean():.4f} hard, {differ.mean():.4f} differ")
    save(figure, "hard_region.png")


def shade(axis, mask, colour):
    layer = np.zeros((*mask.shape, 4))
    layer[mask] = matplotlib.colors.to_rgba(colour, 0.75)
    axis.imshow(layer)


def gamma():
    """Draw the gamma of the loss while a prediction grows, and what it weighs."""
    rows, columns = np.mgrid[:224, :224]
    away = np.hypot(rows - 112, columns - 112)
    expert = torch.tensor((away < 70)[None, None]).float()
    nonexpert = torch.tensor((away < 66)[None, None]).float()
    shares, published, disagreement = [], [], []
    losses = AdaptiveFocalLoss(), AdaptiveFocalLoss(variability="disagreement")
    for radius in np.linspace(5, 110, 60):
        logits = torch.tensor(np.where(away < radius, 9.0, -9.0)[None, None]).float()
        for loss, values in zip(losses, (published, disagreement), strict=True):
            loss(logits, expert, nonexpert)
            values.append(float(loss.last_gamma))
        shares.append(float(logits.sigmoid().mean()))
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    axes[0].plot(shares, published, label="published: non-expert's mean")
    axes[0].plot(shares, disagreement, "--", label='variability="disagreement"')
    axes[0].axvline(float(expert.mean()), color="0.6", linewidth=1)
    axes[0].annotate("expert's share", (float(expert.mean()) + 0.01, 0.2), color="0.4")
    axes[0].set(xlabel="share of the frame that is predicted", ylabel="γ")
    axes[0].legend(fontsize=8)
    at = float(np.interp(float(expert.mean()), shares, published))
    print(f"gamma at the expert's share: {at:.3f}")
    values = np.linspace(0.4, 1.6, 100)
    axes[1].plot(values, values, color=colors.HARD_REGION, label="a hard pixel: γ")
    axes[1].plot(values, 1 / values, color="0.3", label="an easy pixel: 1/γ")
    axes[1].axvline(1, color="0.6", linewidth=1)
    axes[1].set(xlabel="γ", ylabel="weight")
    axes[1].legend(fontsize=8)
    sure = np.linspace(0.01, 1, 200)
    for value in (0.7, 1.0, 1.3):
        axes[2].plot(
            sure, -0.5 * (1 - sure) ** value * np.log(sure), label=f"γ = {value}"
        )
    axes[2].set(
        xlabel="probability of the right class", ylabel="loss of a pixel", ylim=(0, 1.2)
    )
    axes[2].legend(fontsize=8)
    save(figure, "gamma.png")


def deep_supervision():
    """Draw one mask at the four scales, brought there in both ways."""
    mask = torch.tensor(read_sweep().first.array[FRAME : FRAME + 1, None])
    small = labels_to_network(mask, 224)
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.6), layout="constrained")
    for row, method in zip(axes, ("area", "published"), strict=True):
        for axis, scale in zip(row, (1, 2, 4, 8), strict=True):
            coarse = downsample_mask(small, (224 // scale,) * 2, method)
            kept = float(coarse.float().mean() / small.float().mean() - 1)
            axis.imshow(coarse[0, 0], cmap="gray", extent=(0, 224, 224, 0))
            axis.set_xticks([])
            axis.set_yticks([])
            size = "full size" if scale == 1 else f"1/{scale}"
            axis.set_title(f"{size}: area {kept:+.1%}", fontsize=10)
            print(f"{method} 1/{scale}: area {kept:+.4f}")
        row[0].set_ylabel(method)
    save(figure, "deep_supervision.png")


def sweep_geometry():
    """Turn frames through a ball of known volume, and measure it in two ways."""
    radius, away, pixel = 20.0, 30.0, 0.25
    truth = 4 / 3 * np.pi * radius**3 / 1000
    rows, columns = np.mgrid[:240, :200] * pixel
    frames = []
    for angle in np.deg2rad(ANGLES):
        # The axis lies 6 mm above the picture; the ball's middle below it at 0°.
        depth = rows + 6
        x, z = depth * np.sin(angle), depth * np.cos(angle)
        inside = x**2 + (z - away) ** 2 + (columns - 25) ** 2 <= radius**2
        frames.append(inside.astype(np.uint8))
    spacing = (1.0, pixel, pixel)
    mask = Volume.from_spacing(np.array(frames), spacing)
    angles = even_angles(float(ANGLES[0]), float(ANGLES[-1]), len(ANGLES))
    sectors = mask_volume(mask, sweep=Sweep("rotational", "columns", -6.0, angles))
    stack = mask_volume(mask, sweep=Sweep("parallel"))
    print(f"truth {truth:.2f}, sectors {sectors.ml:.2f}, stack {stack.ml:.2f} mL")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for angle in np.deg2rad(ANGLES):
        axes[0].plot(
            [6 * np.sin(angle), 58 * np.sin(angle)],
            [6 * np.cos(angle), 58 * np.cos(angle)],
            color="0.6",
            linewidth=0.8,
        )
    axes[0].add_patch(
        plt.Circle((0, away), radius, color=colors.CAPSULE, alpha=0.7, label="gland")
    )
    axes[0].plot(0, 0, "o", color="black")
    axes[0].annotate("axis of the probe", (2, -1))
    axes[0].set(xlim=(-55, 55), ylim=(62, -6), aspect="equal", xlabel="mm", ylabel="mm")
    axes[0].set_title("frames of a rotational sweep, seen along the axis")
    names = ["true", "by sectors", "as a stack\nof frames 1 mm apart"]
    values = [truth, sectors.ml, stack.ml]
    bars = axes[1].bar(names, values, color=["0.4", "tab:green", "tab:red"])
    axes[1].bar_label(bars, [f"{value:.1f} mL" for value in values])
    axes[1].set(ylabel="volume in mL", ylim=(0, max(values) * 1.15))
    save(figure, "sweep_geometry.png")


def two_raters():
    """Show what STAPLE answers in a ring that one of two raters drew."""
    rows, columns = np.mgrid[:120, :120] - 59.5
    away = np.hypot(rows, columns)

    def disc(radius):
        return (away <= radius).astype(np.uint8)[None]

    small, large = disc(25), disc(32)
    ring = (large == 1) & (small == 0)
    both = staple([small, large])
    print(f"two raters: ring {both.probability[ring].mean():.4f}")
    print(f"sensitivity {both.sensitivity}, specificity {both.specificity}")
    third = np.arange(22, 35.01, 0.5)
    answers = [
        float(staple([small, large, disc(r)]).probability[ring].mean()) for r in third
    ]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    axes[0].imshow(np.zeros_like(away), cmap="gray_r")
    axes[0].contourf(away, [25, 32], colors=[colors.HARD_REGION], alpha=0.6)
    axes[0].contour(away, [25], colors=colors.EXPERT)
    axes[0].contour(away, [32], colors=colors.NONEXPERT)
    axes[0].set_title("two raters; the ring is disputed")
    axes[0].set_axis_off()
    axes[1].axhline(0.5, color="0.5", label="two raters, whoever is right")
    axes[1].plot(third, answers, "o-", label="with a third rater")
    axes[1].axvline(25, color=colors.EXPERT, linestyle=":")
    axes[1].axvline(32, color=colors.NONEXPERT, linestyle=":")
    axes[1].set(
        xlabel="radius of the third rater's outline, in pixels",
        ylabel="STAPLE: probability that the ring is gland",
        ylim=(-0.05, 1.05),
    )
    axes[1].legend()
    save(figure, "staple.png")


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    for draw in (hard_region, gamma, deep_supervision, sweep_geometry, two_raters):
        draw()
