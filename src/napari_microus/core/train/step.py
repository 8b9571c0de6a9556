"""One optimiser step, however little memory there is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_microus.core.device import is_out_of_memory
from napari_microus.core.errors import DeviceError, InputError
from napari_microus.core.train.augment import augment, change_intensity
from napari_microus.core.train.criterion import last_gamma
from napari_microus.core.train.learner import memory_format
from napari_microus.core.train.patches import PatchSource, augment_patches
from napari_microus.core.train.small_numbers import small_numbers_as_zero

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_microus.core.phantom.texture import TextureBank
    from napari_microus.core.train.learner import Learner

# Set further draws for a sample apart from those of its augmentation.
_UNLABELLED = 1
_TEXTURE = 2


def make_batch(
    learner: Learner, indices: NDArray[np.int64], keys: list[tuple[int, ...]]
) -> tuple[Tensor, Tensor]:
    """Return varied frames (B, 1, S, S) and masks (B, 2, S, S) on the device.

    Of a run on volumes: patches (B, C, D, H, W) and masks (B, 2, D, H, W).
    """
    device, config = learner.fabric.device, learner.config
    if isinstance(learner.frames, PatchSource):
        patches, masks = learner.frames.batch(indices, keys)
        patches, masks = augment_patches(
            patches.to(device, non_blocking=True),
            masks.to(device, non_blocking=True),
            keys,
            config.augment,
        )
        return patches.contiguous(memory_format=memory_format(config)), masks
    frames, masks = learner.frames.batch(indices)
    if learner.bank is not None:
        _transfer_texture(learner.bank, frames, keys, config.augment.texture)
    frames = frames.to(device, non_blocking=True).to(torch.float32) / 255
    masks = masks.to(device, non_blocking=True)
    frames, masks = augment(frames, masks, keys, config.augment)
    return frames.contiguous(memory_format=memory_format(config)), masks


def _transfer_texture(
    bank: TextureBank, frames: Tensor, keys: list[tuple[int, ...]], chance: float
) -> None:
    """Give some frames (B, 1, S, S) the look of unlabelled ones, in place."""
    for frame, key in zip(frames[:, 0].numpy(), keys, strict=True):
        draw = np.random.default_rng((*key, _TEXTURE))
        if draw.random() < chance:
            strength = draw.uniform(0.5, 1.0)
            frame[:] = bank.transfer_texture(draw, frame, strength=strength)


def make_step(
    learner: Learner,
    indices: NDArray[np.int64],
    keys: list[tuple[int, ...]],
    step: int,
    on_halved: Callable[[int], None],
) -> tuple[float, float | None]:
    """Change the weights once and return the batch's loss and gamma.

    When memory runs out, the batch passes in halves from then on, which changes
    neither its size nor its mean gradient.

    Raises
    ------
    InputError
        If the loss is not finite; the cases of the batch are named.
    DeviceError
        If not even one frame fits into memory, or the device fails.
    """
    with small_numbers_as_zero(learner.fabric.device):
        return _step(learner, indices, keys, step, on_halved)


def _step(
    learner: Learner,
    indices: NDArray[np.int64],
    keys: list[tuple[int, ...]],
    step: int,
    on_halved: Callable[[int], None],
) -> tuple[float, float | None]:
    frames, masks = make_batch(learner, indices, keys)
    while True:
        learner.optimizer.zero_grad()
        try:
            loss, gamma = _accumulate(learner, frames, masks, keys)
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise _named(error) from error
            _halve(learner, len(frames), error)
        on_halved(learner.micro_batch)
    if not math.isfinite(loss):
        raise _not_finite(learner, frames, masks, indices)
    clip = learner.config.optimizer.clip_norm
    if clip is not None:
        learner.fabric.clip_gradients(
            learner.model, learner.optimizer, max_norm=clip, error_if_nonfinite=False
        )
    learner.optimizer.step()
    if learner.average is not None:
        learner.average.update(step)
    return loss, gamma


def _accumulate(
    learner: Learner, frames: Tensor, masks: Tensor, keys: list[tuple[int, ...]]
) -> tuple[float, float | None]:
    count, micro = len(frames), learner.micro_batch
    total = frames.new_zeros(())
    consistency = learner.config.data.unlabelled_batch > 0
    for start in range(0, count, micro):
        part = slice(start, start + micro)
        last = start + micro >= count and not consistency
        with learner.fabric.no_backward_sync(learner.model, enabled=not last):  # type: ignore[arg-type]
            outputs = learner.model(frames[part])
            loss = learner.criterion(outputs, masks[part, :1], masks[part, 1:])
            loss = loss * (len(frames[part]) / count)
            learner.fabric.backward(loss)
        total += loss.detach()
    gamma = last_gamma(learner.criterion)
    if consistency:
        learner.fabric.backward(_consistency(learner, keys))
    total = learner.fabric.all_reduce(total, reduce_op="mean")  # type: ignore[assignment]
    return float(total), gamma


def _consistency(learner: Learner, keys: list[tuple[int, ...]]) -> Tensor:
    """Return how differently unlabelled frames are segmented when they look otherwise.

    The averaged network sees the frames as they are and teaches the other one,
    which sees them with changed contrast, gain and speckle [1]_.

    References
    ----------
    .. [1] Tarvainen, Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """
    config = learner.config
    assert learner.unlabelled is not None  # checked before the run began
    assert learner.average is not None
    draws = [
        np.random.default_rng((*key, _UNLABELLED))
        for key in keys[: config.data.unlabelled_batch]
    ]
    chosen = [int(draw.integers(len(learner.unlabelled))) for draw in draws]
    plain = learner.unlabelled[chosen].to(torch.float32)
    flips = torch.tensor([draw.random() for draw in draws], device=plain.device)
    mirrored = (flips < config.augment.flip_horizontal).view(-1, 1, 1, 1)
    plain = torch.where(mirrored, plain.flip(-1), plain)
    changed = change_intensity(plain, draws, config.augment)
    with torch.no_grad(), learner.fabric.autocast():
        taught = learner.average.network(plain)
    learnt = learner.model(changed)
    taught, learnt = (x if isinstance(x, Tensor) else x[0] for x in (taught, learnt))
    gap = learnt.float().sigmoid() - taught.float().sigmoid()
    return config.data.consistency_weight * gap.square().mean()


def _halve(learner: Learner, count: int, error: BaseException) -> None:
    micro = min(learner.micro_batch, count)
    if micro == 1 or learner.fabric.world_size > 1:
        raise DeviceError(
            f"A step must fit into the memory of {learner.fabric.device}; got "
            f"micro_batch {micro}. Use a smaller network, or set a smaller "
            "micro_batch.",
            plain=(
                f"The memory of {learner.fabric.device} is too small for this "
                f"training, even with micro_batch {micro}. Use a smaller "
                "network, or set a smaller micro_batch."
            ),
        ) from error
    learner.micro_batch = micro // 2
    if learner.fabric.device.type == "cuda":
        torch.cuda.empty_cache()


def _named(error: RuntimeError | MemoryError) -> Exception:
    """Return a device's failure as an error for the user, any other one as it is."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "CUDA error" in text or "MPS" in text:
        return DeviceError(
            f"The device must keep working; got '{text}'. The last checkpoint is "
            "whole: resume the run, on another device if need be.",
            plain=(
                f"The device failed ('{text}'). The last checkpoint is whole: "
                "resume the run, on another device if need be."
            ),
        )
    return error


@torch.no_grad()
def _not_finite(
    learner: Learner, frames: Tensor, masks: Tensor, indices: NDArray[np.int64]
) -> InputError:
    """Find the frames at fault by asking for the loss of each alone."""
    # Not in evaluation mode: the batch may have spoilt the running statistics.
    learner.criterion.eval()
    faulty = []
    for i, index in enumerate(indices):
        with learner.fabric.autocast():
            outputs = learner.network(frames[i : i + 1])
        loss = learner.criterion(outputs, masks[i : i + 1, :1], masks[i : i + 1, 1:])
        if not math.isfinite(float(loss)):
            faulty.append(index)
    # Broken weights make every frame fail; then the batch as a whole is suspect.
    names = learner.frames.names(np.asarray(faulty or indices, dtype=np.int64))
    shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    return InputError(
        f"The loss must stay finite; got NaN or infinity on {shown}. Check these "
        "cases, lower the learning rate, or clip gradients; the last good "
        "checkpoint was kept.",
        plain=(
            f"The training came to no number on {shown}. Check these "
            "cases, lower the learning rate, or clip gradients; the last "
            "good checkpoint was kept."
        ),
    )
