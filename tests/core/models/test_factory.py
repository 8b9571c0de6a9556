import pytest
import torch

from napari_microus.core.config import (
    ARCHITECTURES,
    BaselineConfig,
    ModelConfig,
    TransUNetConfig,
)
from napari_microus.core.errors import InputError
from napari_microus.core.models import create_model, logits_of
from napari_microus.core.models.transunet import TransUNet

BASELINES = ARCHITECTURES[1:]


def build(architecture: str, dims: int = 2):
    torch.manual_seed(0)
    return create_model(
        ModelConfig(architecture, baseline=BaselineConfig(64, spatial_dims=dims))
    )


@pytest.mark.parametrize("architecture", BASELINES)
def test_every_baseline_gives_one_logit_a_pixel(architecture):
    model = build(architecture).eval()

    with torch.no_grad():
        logits = logits_of(model(torch.rand(2, 1, 64, 96)))

    assert logits.shape == (2, 1, 64, 96)
    assert model.config.architecture == architecture


@pytest.mark.slow
@pytest.mark.parametrize("architecture", BASELINES)
def test_every_baseline_gives_one_logit_a_voxel(architecture):
    model = build(architecture, dims=3).eval()

    with torch.no_grad():
        logits = logits_of(model(torch.rand(1, 1, 32, 64, 32)))

    assert logits.shape == (1, 1, 32, 64, 32)


@pytest.mark.parametrize("architecture", BASELINES)
def test_gradient_reaches_every_parameter_in_use(architecture):
    model = build(architecture).train()
    # Swin's last stage at 1/32 needs more than one pixel to have a variance.
    logits_of(model(torch.rand(2, 1, 64, 64))).square().mean().backward()

    without = [name for name, p in model.named_parameters() if p.grad is None]
    # FlexibleUNet keeps ResNet's classifier, which no segmentation passes.
    assert [name for name in without if ".fc." not in name] == []


def test_transunet_comes_from_either_configuration():
    small = TransUNetConfig.small(image_size=64)
    for config in (small, ModelConfig(transunet=small)):
        model = create_model(config)
        assert isinstance(model, TransUNet)
        assert model.config == small
        assert logits_of(model(torch.rand(1, 1, 64, 64))).shape == (1, 1, 64, 64)


@pytest.mark.parametrize("shape", [(1, 1, 64, 60), (1, 3, 64, 64), (1, 64, 64)])
def test_a_wrong_shape_is_named_with_the_right_one(shape):
    with pytest.raises(InputError, match=r"\(B, 1, H, W\).*multiples of 32; got"):
        build("basic_unet")(torch.zeros(shape))
