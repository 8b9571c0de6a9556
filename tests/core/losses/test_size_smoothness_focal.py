import numpy as np
import pytest
import torch

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.losses import SizeSmoothnessFocalLoss


def factors(mask):
    """alpha_va, gamma_va and gamma_mSa by NumPy."""
    slopes = np.gradient(mask.astype(float))
    smoothness = np.sqrt(sum(slope**2 for slope in slopes)).mean()
    return 1 - mask.mean(), mask.mean(), smoothness


def masks(shape, count=3, seed=1):
    rng = np.random.default_rng(seed)
    found = np.zeros((count, *shape), np.uint8)
    for sample in found:
        corner = [slice(rng.integers(1, 3), rng.integers(4, n)) for n in shape]
        sample[tuple(corner)] = 1
    return found


@pytest.mark.parametrize("index", range(4))
def test_published_code(index, numbers, arrays):
    expected = numbers["size_smoothness"][index]
    label = torch.from_numpy(arrays[f"afl{index}_label"])[None, None]
    logits = torch.from_numpy(arrays[f"afl{index}_logits"])
    criterion = SizeSmoothnessFocalLoss(form="published_code")
    assert criterion(logits, label).item() == pytest.approx(expected["loss"], rel=1e-5)
    alpha_va, gamma_va, gamma_mSa = criterion.last_factors
    assert gamma_va.item() == pytest.approx(expected["gamma_volume"], rel=1e-6)
    assert gamma_mSa.item() == pytest.approx(expected["gamma_smoothness"], rel=1e-6)
    assert alpha_va.item() == pytest.approx(expected["class_weights"][0], rel=1e-6)


@pytest.mark.parametrize("shape", [(14, 17), (6, 9, 8), (1, 9, 8)])
def test_paper_formula_per_sample_with_one_logit(shape):
    label = masks(shape[1:] if shape[0] == 1 else shape).reshape(-1, *shape)
    logits = np.random.default_rng(0).normal(size=label.shape)
    each = []
    for y, z in zip(label, logits, strict=True):
        flat = y if shape[0] > 1 else y[0]  # numpy.gradient wants two of each
        alpha_va, gamma_va, gamma_mSa = factors(flat)
        pt = np.where(y == 1, 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z)))
        alpha_t = np.where(y == 1, alpha_va, 1 - alpha_va)
        focal = -alpha_t * (1 - pt) ** (gamma_va + gamma_mSa) * np.log(pt)
        each.append(focal.mean())
    criterion = SizeSmoothnessFocalLoss()
    loss = criterion(
        torch.from_numpy(logits)[:, None], torch.from_numpy(label)[:, None]
    )
    assert loss.item() == pytest.approx(np.mean(each), rel=1e-6)
    assert criterion.last_factors.alpha_va.shape == (3,)


@pytest.mark.parametrize("index", range(4))
def test_paper_gives_the_foreground_channel_the_large_weight(index, numbers, arrays):
    expected = numbers["size_smoothness"][index]
    label = arrays[f"afl{index}_label"]
    logits = arrays[f"afl{index}_logits"].astype(float)
    gamma = expected["gamma_volume"] + expected["gamma_smoothness"]
    total = 0.0
    for channel, weight in (
        (0, expected["gamma_volume"]),
        (1, 1 - expected["gamma_volume"]),
    ):
        p = 1 / (1 + np.exp(-logits[0, channel]))
        pt = np.where(label == channel, p, 1 - p)
        total += (weight * -((1 - pt) ** gamma) * np.log(pt)).mean() / 2
    loss = SizeSmoothnessFocalLoss()(
        torch.from_numpy(logits), torch.from_numpy(label)[None, None]
    )
    assert loss.item() == pytest.approx(total, rel=1e-6)


def test_published_code_swaps_the_weights_and_looks_at_one_sample():
    label = masks((12, 15), count=2)
    logits = np.random.default_rng(4).normal(size=label.shape)
    fraction = label.mean()
    gamma = fraction + factors(label[0])[2]
    pt = np.where(label == 1, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))
    alpha_t = np.where(label == 1, fraction, 1 - fraction)
    expected = (-alpha_t * (1 - pt) ** gamma * np.log(pt)).mean()
    loss = SizeSmoothnessFocalLoss(form="published_code")(
        torch.from_numpy(logits)[:, None], torch.from_numpy(label)[:, None]
    )
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_smoothness_does_not_see_the_edge_of_an_ignored_region():
    expert = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    expert[..., :5, :] = 1
    expert[..., 4:, :] = 255  # the mask's only edge is unknown
    criterion = SizeSmoothnessFocalLoss()
    criterion(torch.zeros(1, 1, 9, 9), expert)
    assert criterion.last_factors.gamma_mSa.item() == 0
    assert criterion.last_factors.gamma_va.item() == 1


def test_empty_masks_give_a_finite_loss():
    logits = torch.randn(2, 1, 8, 8)
    for form in ("paper", "published_code"):
        loss = SizeSmoothnessFocalLoss(form=form)(logits, torch.zeros(2, 1, 8, 8))
        assert torch.isfinite(loss)


def test_wrong_settings_and_channels_are_named():
    with pytest.raises(ConfigError, match='form must be "paper"'):
        SizeSmoothnessFocalLoss(form="x")
    with pytest.raises(InputError, match="C = 1 or 2; got"):
        SizeSmoothnessFocalLoss()(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))


def test_an_empty_mask_teaches_nothing_by_the_papers_formula():
    logits = torch.randn(1, 1, 8, 8)
    assert SizeSmoothnessFocalLoss()(logits, torch.zeros(1, 1, 8, 8)).item() == 0
    code = SizeSmoothnessFocalLoss(form="published_code")
    assert code(logits, torch.zeros(1, 1, 8, 8)).item() > 0.1


def test_one_counted_pixel_fills_its_mask():
    expert = torch.full((1, 1, 4, 4), 255, dtype=torch.uint8)
    expert[..., 1, 2] = 1
    criterion = SizeSmoothnessFocalLoss()
    criterion(torch.zeros(1, 1, 4, 4), expert)
    assert criterion.last_factors.gamma_va.item() == 1
    assert criterion.last_factors.alpha_va.item() == 0


@pytest.mark.parametrize("form", ["paper", "published_code"])
@pytest.mark.parametrize(
    "terms",
    [
        (),
        ("alpha_va",),
        ("gamma_va",),
        ("gamma_mSa",),
        ("gamma_va", "gamma_mSa"),
        ("alpha_va", "gamma_mSa"),
    ],
)
def test_terms_alone_and_together(form, terms):
    label = masks((6, 9, 8), count=1)
    logits = np.random.default_rng(3).normal(size=label.shape)
    alpha_va, gamma_va, gamma_mSa = factors(label[0])
    large = alpha_va if form == "paper" else 1 - alpha_va
    weight = np.where(label == 1, large, 1 - large)
    if "alpha_va" not in terms:
        weight = np.ones_like(weight)
    gamma = gamma_va * ("gamma_va" in terms) + gamma_mSa * ("gamma_mSa" in terms)
    pt = np.where(label == 1, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))
    expected = (-weight * (1 - pt) ** gamma * np.log(pt)).mean()

    criterion = SizeSmoothnessFocalLoss(form, terms)
    loss = criterion(
        torch.from_numpy(logits)[:, None], torch.from_numpy(label)[:, None]
    )

    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_an_unknown_term_is_named():
    with pytest.raises(ConfigError, match=r"each once; got gamma_x\. Leave"):
        SizeSmoothnessFocalLoss(terms=("gamma_x",))
