"""The loss of every configuration, against its formula written out in numpy.

The formulas are those of the papers named in `docs/losses.md`, pixel by pixel in
double precision; nothing of `core.losses` is used to work out what is expected.
"""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_microus.core.config.loss import LossConfig
from napari_microus.core.train.criterion import create_criterion, last_gamma

SIZE = 16
EPSILON = 1e-6


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture
def batch():
    """Logits (2, 1, S, S) at four scales, and two masks with ignored pixels."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    expert = np.stack(
        [
            (rows - 7) ** 2 + (columns - 8) ** 2 < 25,
            (rows - 9) ** 2 + (columns - 5) ** 2 < 12,
        ]
    ).astype(np.uint8)
    nonexpert = np.roll(expert, (1, 2), axis=(1, 2))
    expert[0, :2, :4] = 255
    nonexpert[1, -4:, -3:] = 255
    outputs = [rng.normal(0, 2, (2, 1, SIZE >> k, SIZE >> k)) for k in range(4)]
    return outputs, expert[:, None], nonexpert[:, None]


def differing(expert, nonexpert, kernel_size):
    """Return the hard region of (B, 1, H, W), by SciPy's maximum filter."""
    differ = (expert == 1) ^ (nonexpert == 1)
    # SciPy's window reaches from -size // 2, so that even squares widen to the right.
    window = (1, 1, kernel_size, kernel_size)
    return ndimage.maximum_filter(differ.astype(np.uint8), window, mode="constant") > 0


def adaptive(z, expert, nonexpert, config, kernel_size):
    counted, foreground, other = parts(expert, nonexpert)
    hard = differing(foreground, other, kernel_size) & counted
    p = np.clip(sigmoid(z), EPSILON, 1 - EPSILON)
    vary = foreground ^ other if config.variability == "disagreement" else other
    axes = (1, 2, 3) if config.per_sample else None
    pixels = counted.sum(axes, keepdims=True)
    gamma = 1 - (p * counted - vary).sum(axes, keepdims=True) / pixels
    pt = np.where(foreground, p, 1 - p)
    focal = -0.5 * (1 - pt) ** gamma * np.log(pt + EPSILON)
    weighed = np.where(hard, gamma * focal, focal / gamma) * counted
    return weighed.sum() / counted.sum(), gamma.mean()


def guided(z, expert, nonexpert, config, kernel_size):
    counted, foreground, other = parts(expert, nonexpert)
    hard = differing(foreground, other, kernel_size) & counted
    p = sigmoid(z)
    bce = -0.5 * np.where(foreground, np.log(p + EPSILON), np.log(1 - p + EPSILON))
    w = config.hard_weight
    weighed = np.where(hard, w / (1 + w), 1 / (1 + w)) * bce
    return weighed[counted].mean(), None


def focal(z, expert, nonexpert, config, kernel_size):
    counted, foreground, _ = parts(expert, nonexpert)
    p = sigmoid(sigmoid(z) if config.name == "focal_as_published" else z)
    pt = np.where(foreground, p, 1 - p)
    background = 1 - config.alpha if config.convention == "lin2017" else config.alpha
    alpha = np.where(foreground, config.alpha, background)
    return (-alpha * (1 - pt) ** config.gamma * np.log(pt))[counted].mean(), None


def size_smoothness(z, expert, nonexpert, config, kernel_size):
    counted, foreground, _ = parts(expert, nonexpert)
    total, share, smooth = 0.0, [], []
    for one, known in zip(foreground[:, 0], counted[:, 0], strict=True):
        share.append(one.sum() / known.sum())
        smooth.append(roughness(one, known))
    everything = foreground.sum() / counted.sum()
    for i in range(len(z)):
        one, known, pixel = foreground[i, 0], counted[i, 0], sigmoid(z[i, 0])
        if config.form == "paper":
            alpha, gamma = 1 - share[i], share[i] + smooth[i]
        else:  # the published code: weights swapped, sizes of the batch
            alpha, gamma = everything, everything + smooth[0]
        pt = np.where(one, pixel, 1 - pixel)
        terms = -np.where(one, alpha, 1 - alpha) * (1 - pt) ** gamma * np.log(pt)
        total += terms[known].sum()
    return total / counted.sum(), None


def roughness(mask, known):
    """Return the mean length of the gradient, without differences to the unknown."""
    total, (height, width) = 0.0, mask.shape
    for y, x in zip(*np.nonzero(known), strict=True):
        squares = 0.0
        for ahead, behind in (
            ((min(y + 1, height - 1), x), (max(y - 1, 0), x)),
            ((y, min(x + 1, width - 1)), (y, max(x - 1, 0))),
        ):
            run = sum(ahead) - sum(behind)
            if known[ahead] and known[behind]:
                squares += ((int(mask[ahead]) - int(mask[behind])) / run) ** 2
        total += squares**0.5
    return total / known.sum()


def parts(expert, nonexpert):
    counted = (expert != 255) & (nonexpert != 255)
    return counted, (expert == 1) & counted, (nonexpert == 1) & counted


def dice(z, expert, nonexpert):
    """Return MONAI's: 1 - (2 Σ p y + 1e-5) / (Σ p + Σ y + 1e-5), a frame each."""
    counted, foreground, _ = parts(expert, nonexpert)
    p = sigmoid(z) * counted
    both = (p * foreground).sum((1, 2, 3))
    return (
        1 - (2 * both + 1e-5) / (p.sum((1, 2, 3)) + foreground.sum((1, 2, 3)) + 1e-5)
    ).mean()


def coarser(mask, times, method):
    """Return a mask at 1/times of its size."""
    if times == 1:
        return mask
    half = SIZE // times
    blocks = mask.reshape(2, 1, half, times, half, times).swapaxes(3, 4)
    if method == "area":
        counted = (blocks != 255).mean((-1, -2))
        coarse = (2 * (blocks == 1).mean((-1, -2)) >= counted).astype(np.uint8)
        coarse[counted < 0.5] = 255
        return coarse
    # Bilinear at an even factor: the mean of the four pixels in the middle.
    middle = blocks[
        ..., times // 2 - 1 : times // 2 + 1, times // 2 - 1 : times // 2 + 1
    ]
    coarse = (middle == 1).all((-1, -2)).astype(np.uint8)
    coarse[(middle == 255).any((-1, -2))] = 255
    return coarse


FORMULAS = {
    "adaptive_focal": adaptive,
    "ag_bce": guided,
    "focal": focal,
    "focal_as_published": focal,
    "size_smoothness": size_smoothness,
}
SETTINGS = {
    "adaptive_focal": [
        {},
        {"variability": "disagreement"},
        {"per_sample": True},
        {"variability": "disagreement", "per_sample": True},
        {"kernel_sizes": (5, 2, 1, 3)},
    ],
    "ag_bce": [{}, {"hard_weight": 9.0}, {"kernel_sizes": (2, 5, 4, 1)}],
    "focal": [{}, {"convention": "lin2017"}, {"alpha": 0.6, "gamma": 0.5}],
    "focal_as_published": [{}, {"convention": "lin2017", "alpha": 0.9}],
    "size_smoothness": [{}, {"form": "published_code"}],
}
CONFIGS = [
    LossConfig(name=name, dice_weight=weight, deep_supervision=deep, **settings)
    for name, found in SETTINGS.items()
    for settings in found
    for weight in (0.0, 0.7)
    for deep in (True, False)
] + [
    LossConfig(name=name, label_downsampling="published", dice_weight=0.3)
    for name in SETTINGS
]


def named(config):
    default = LossConfig()
    changed = {
        key: value
        for key, value in dataclasses.asdict(config).items()
        if value != getattr(default, key)
    }
    return "-".join(f"{k}={v}" for k, v in changed.items()) or "default"


def expected_of(config, batch):
    outputs, *full = batch
    scales = range(4) if config.deep_supervision else (0,)
    total, gamma = 0.0, None
    for k in scales:
        masks = [coarser(m, 2**k, config.label_downsampling) for m in full]
        loss, found = FORMULAS[config.name](
            outputs[k], *masks, config, config.kernel_sizes[k]
        )
        total += loss + config.dice_weight * dice(outputs[k], *masks)
        gamma = found if k == 0 else gamma
    return total, gamma


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_every_configuration_gives_the_loss_of_its_formula(config, batch):
    expected, gamma = expected_of(config, batch)
    outputs = [torch.from_numpy(z) for z in batch[0]]
    masks = [torch.from_numpy(mask) for mask in batch[1:]]
    criterion = create_criterion(config)
    loss = criterion(outputs, *masks)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    if gamma is None:
        assert last_gamma(criterion) is None
    else:
        assert last_gamma(criterion) == pytest.approx(gamma, rel=1e-6)


def test_no_two_configurations_give_the_same_loss(batch):
    # Otherwise a setting that is not passed on would go unseen above.
    found = sorted(expected_of(config, batch)[0] for config in CONFIGS)
    assert np.diff(found).min() > 1e-6


@pytest.mark.parametrize("name", SETTINGS)
def test_without_a_second_annotator_the_first_one_stands_for_both(name, batch):
    outputs, expert, _ = batch
    config = LossConfig(name=name, dice_weight=0.5)
    expected, _ = expected_of(config, (outputs, expert, expert))
    loss = create_criterion(config)(
        [torch.from_numpy(z) for z in outputs], torch.from_numpy(expert)
    )
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_in_training_a_batch_of_undecided_frames_is_no_error(name):
    # A mask of 0 and 255 alone is refused elsewhere: there it is a picture.
    mask = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.uint8)
    mask[..., :4] = 255
    for deep in (True, False):
        config = LossConfig(name=name, deep_supervision=deep, dice_weight=0.5)
        logits = torch.zeros(1, 1, SIZE, SIZE)
        assert torch.isfinite(create_criterion(config)(logits, mask, mask))
