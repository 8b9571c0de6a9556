"""A training step of ours against the published way, from the same weights.

Usage: ``python benchmarks/training_step.py [--model base] [--steps 3] [--curve 6]``.
The published way is float32, eager, with masks dilated frame by frame on the CPU
(OpenCV where it is installed, else SciPy), and frames turned and flipped by SciPy; ours
is `core.train`'s own step. Both train on the same batches in turn and the fastest step
counts; then their losses are compared step by step on batches that neither varies,
against the difference that another order of the frames makes ("noise"). "Pipeline" is
how many varied frames a second come without any network. On a GPU (``--device cuda``)
the published way stays float32 and its masks are dilated on the host.
"""

from __future__ import annotations

import argparse
import copy
import os
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torch.nn.functional as F
from _common import in_turn, report
from losses import published_adaptive
from scipy import ndimage

from napari_microus.core.phantom import training_batch
from napari_microus.core.train import TrainConfig
from napari_microus.core.train.frames import FrameCache
from napari_microus.core.train.learner import create_learner
from napari_microus.core.train.optimizer import create_optimizer
from napari_microus.core.train.processes import create_fabric
from napari_microus.core.train.sampler import Sampler
from napari_microus.core.train.start import start_network
from napari_microus.core.train.step import make_batch, make_step
from napari_microus.core.train.training_data import TrainingData

STILL = dict.fromkeys(
    [
        *("rotation_deg", "scale", "shift", "flip_horizontal", "contrast"),
        *("brightness", "gamma", "speckle", "gain_curve", "blur", "texture"),
    ],
    0.0,
)


class Published:
    """The published step: float32, eager, and NumPy between network and loss."""

    def __init__(self, network: torch.nn.Module, config: TrainConfig, device: Any):
        self.network, self.device = network.to(device).train(), device
        for module in network.modules():  # ours draws faster
            for name, child in module.named_children():
                if isinstance(child, torch.nn.Dropout):
                    setattr(module, name, torch.nn.Dropout(child.p))
        self.optimizer = create_optimizer(self.network, config.optimizer)
        self.clip = config.optimizer.clip_norm

    def vary(self, frames: np.ndarray, masks: np.ndarray, draw: Any) -> tuple:
        """Turn and flip frames and masks (B, H, W) and (B, 2, H, W) one by one."""
        out_frames, out_masks = [], []
        for frame, pair in zip(frames, masks, strict=True):
            angle = draw.uniform(-20, 20)
            stack = [ndimage.rotate(frame, angle, order=1, reshape=False)]
            stack += [ndimage.rotate(m, angle, order=0, reshape=False) for m in pair]
            if draw.random() < 0.5:
                stack = [image[:, ::-1].copy() for image in stack]
            out_frames.append(stack[0])
            out_masks.append(np.stack(stack[1:]))
        return np.stack(out_frames), np.stack(out_masks)

    def step(self, frames: torch.Tensor, masks: torch.Tensor) -> float:
        """Change the weights once and return the loss."""
        self.optimizer.zero_grad()
        outputs = self.network(frames.to(self.device))
        total = outputs[0].new_zeros(())
        for logits, kernel in zip(outputs, (4, 3, 2, 1), strict=True):
            size = logits.shape[-2:]
            small = (F.interpolate(masks.float(), size, mode="area") >= 0.5).byte()
            expert, nonexpert = small[:, :1], small[:, 1:]
            loss = published_adaptive(logits.cpu(), expert, nonexpert, kernel)
            total = total + loss.to(self.device)
        total.backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()
        return total.item()


def frames_of(count: int) -> FrameCache:
    frames, *masks = training_batch(0, count)
    return FrameCache(frames, *masks, np.zeros(count, np.int64), ["phantom"])


def configured(model: str, device: str, batch: int, **changes: Any) -> TrainConfig:
    return TrainConfig.preset(
        "demo",
        model=model,
        device=device,
        batch_size=batch,
        loss={"name": "adaptive_focal", "dice_weight": 0.0, "deep_supervision": True},
        optimizer={"learning_rate": 1e-4, "warmup_steps": 0, "ema": 0.0},
        **changes,
    )


def curve(
    config: TrainConfig, network: torch.nn.Module, cache: FrameCache, order: Any
) -> dict[str, list[float]]:
    """Return the losses of both on the same unvaried batches."""
    fabric = create_fabric(config)
    data = TrainingData(cache, [])
    learner = create_learner(config, fabric, copy.deepcopy(network), data)
    published = Published(copy.deepcopy(network), config, fabric.device)
    learner.network.train()
    losses: dict[str, list[float]] = {"ours": [], "published": []}
    for step, indices in enumerate(order):
        keys = [(0, int(index)) for index in indices]
        frames, masks = (part.clone() for part in make_batch(learner, indices, keys))
        loss, _ = make_step(learner, indices, keys, step, lambda _: None)
        losses["ours"].append(loss)
        losses["published"].append(published.step(frames, masks.cpu()))
    return losses


class Sides:
    """Both steps from the same weights on the same frames."""

    def __init__(self, config: TrainConfig, count: int) -> None:
        torch.manual_seed(0)
        self.network, self.config = start_network(config)
        self.cache, self.fabric = frames_of(count), create_fabric(self.config)
        data = TrainingData(self.cache, [])
        network = copy.deepcopy(self.network)
        self.learner = create_learner(self.config, self.fabric, network, data)
        self.learner.network.train()
        self.published = Published(
            copy.deepcopy(self.network), self.config, self.fabric.device
        )
        sampler = Sampler(count, config.batch_size, 0)
        self.indices, self.keys = sampler.share(sampler.order(0), 0, 0)
        self._raw = [part.numpy() for part in self.cache.batch(self.indices)]
        self._draw = np.random.default_rng(0)

    def our_batch(self) -> None:
        """Vary the frames as ours does."""
        make_batch(self.learner, self.indices, self.keys)
        self._finish()

    def published_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Vary the frames as the published code does."""
        raw, masks = self._raw
        frames, varied = self.published.vary(raw[:, 0], masks, self._draw)
        return torch.from_numpy(frames)[:, None].float() / 255, torch.from_numpy(varied)

    def our_step(self) -> None:
        """Change our weights once."""
        make_step(self.learner, self.indices, self.keys, 0, lambda _: None)
        self._finish()

    def published_step(self) -> None:
        """Change the other weights once."""
        self.published.step(*self.published_batch())
        self._finish()

    def _finish(self) -> None:
        if self.fabric.device.type == "cuda":
            torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="base", choices=("small", "base"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--curve", type=int, default=6, help="steps of the losses")
    chosen = parser.parse_args()
    batch, count = chosen.batch_size, max(chosen.curve, 2) * chosen.batch_size
    config = configured(chosen.model, chosen.device, batch)
    sides = Sides(config, count)
    network, cache = sides.network, sides.cache
    pipelines = in_turn(
        {"ours": sides.our_batch, "published": sides.published_batch},
        max(5, chosen.steps),
        warm=1,
    )
    steps = in_turn(
        {"ours": sides.our_step, "published": sides.published_step}, chosen.steps, 1
    )
    result: dict[str, Any] = {
        "model": chosen.model,
        "device": str(sides.fabric.device),
        "batch_size": batch,
        "step_s": {name: round(taken, 3) for name, taken in steps.items()},
        "ratio": round(steps["published"] / steps["ours"], 2),
        "pipeline_frames_per_s": {k: round(batch / s, 1) for k, s in pipelines.items()},
        "pipeline_to_step": round(steps["ours"] / pipelines["ours"], 1),
    }
    if chosen.curve:
        still = configured(chosen.model, chosen.device, batch, augment=STILL)
        order = np.arange(count)[: chosen.curve * batch].reshape(chosen.curve, batch)
        losses = curve(still, network, cache, order)
        other = curve(still, network, cache, order[:, ::-1].copy()[::-1])
        means = {name: float(np.mean(values)) for name, values in losses.items()}
        result["losses"] = {k: [round(v, 5) for v in ls] for k, ls in losses.items()}
        first, second = (np.array(losses[k]) for k in ("ours", "published"))
        result["largest_difference"] = round(float(np.abs(1 - first / second).max()), 5)
        noise = abs(1 - float(np.mean(other["published"])) / means["published"])
        result["difference_of_means"] = round(
            abs(1 - means["ours"] / means["published"]), 5
        )
        result["noise"] = round(noise, 5)
    rows = [
        [name, steps[name], batch / steps[name], steps["published"] / steps[name]]
        for name in steps
    ]
    rows.append(["our pipeline alone", pipelines["ours"], batch / pipelines["ours"], 0])
    report(result, rows, ["way", "seconds a step", "frames/s", "x published"])


if __name__ == "__main__":
    main()
