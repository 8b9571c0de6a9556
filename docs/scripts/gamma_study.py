"""What γ follows, and how large the hard region is, on frames that were outlined twice.

    python docs/scripts/gamma_study.py STUDY MODEL FOLD

STUDY has folds and non-expert masks (`docs/scripts/real_study.py` makes one of real
frames); MODEL did not see the patients of FOLD. Batches of eight frames are drawn among
those with two different masks, at the size of the network. Printed are the published γ
and, over the batches, its rank correlation with the mean prediction, the non-expert's
mean and the annotators' disagreement; then the share of hard pixels by kernel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from napari_microus.core.hard_region import hard_region
from napari_microus.core.library import load_model
from napari_microus.core.models import logits_of
from napari_microus.core.preprocess import (
    intensity_window,
    labels_to_network,
    to_network,
)
from napari_microus.core.study import Study

BATCH, BATCHES = 8, 400


def frames_of(study: Study, fold: int, size: int) -> list[tuple[torch.Tensor, ...]]:
    """Return image, expert and non-expert (1, size, size) where the two differ."""
    found = []
    for case in study.used:
        if case.fold != fold or not case.nonexpert:
            continue
        scan, expert, other = study.read(case)
        window = intensity_window(scan.array)
        for z in range(len(scan.array)):
            pair = expert.array[z] == 1, other.array[z] == 1
            if (pair[0] == pair[1]).all():
                continue
            image = torch.from_numpy(np.asarray(scan.array[z : z + 1])).unsqueeze(1)
            masks = (
                torch.from_numpy(mask[None, None].astype(np.float32)) for mask in pair
            )
            found.append(
                (
                    to_network(image.float(), size, window)[0],
                    *(labels_to_network(mask, size)[0].float() for mask in masks),
                )
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("fold", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(arguments.model)
    size = int(model.config["input"]["size"])
    frames = frames_of(Study.open(arguments.study), arguments.fold, size)
    images, experts, others = (torch.stack(part) for part in zip(*frames, strict=True))
    with torch.inference_mode():
        predicted = torch.cat(
            [logits_of(model.network(part)).sigmoid() for part in images.split(BATCH)]
        )
    of_frame = {
        "mean prediction": predicted.mean((1, 2, 3)).numpy(),
        "expert's mean": experts.mean((1, 2, 3)).numpy(),
        "non-expert's mean": others.mean((1, 2, 3)).numpy(),
        "disagreement": (experts != others).float().mean((1, 2, 3)).numpy(),
        "error of the prediction": ((predicted > 0.5) != (experts == 1))
        .float()
        .mean((1, 2, 3))
        .numpy(),
    }
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(frames), (BATCHES, BATCH))
    batch = {name: values[drawn].mean(1) for name, values in of_frame.items()}
    gamma = 1 - batch["mean prediction"] + batch["non-expert's mean"]
    print(f"{len(frames)} frames with two masks, {BATCHES} batches of {BATCH}")
    print(f"gamma: mean {gamma.mean():.3f}, SD {gamma.std():.3f}")
    print(f"hard over easy weight, gamma^2: {np.mean(gamma**2):.3f} in the mean")
    for name, values in batch.items():
        print(f"  with the {name}: Spearman {spearmanr(gamma, values).statistic:+.2f}")
    changed = batch["disagreement"] + 1 - batch["mean prediction"]
    print(
        f"variability=disagreement: mean {changed.mean():.3f}, SD {changed.std():.3f}"
    )
    for kernel in (1, 2, 4, 8):
        share = hard_region(experts, others, kernel).float().mean()
        print(f"kernel {kernel}: {share:.4f} of the pixels are hard")


if __name__ == "__main__":
    main()
