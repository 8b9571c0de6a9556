import pytest
import torch
import torch.nn.functional as F

from napari_microus.core.errors import InputError
from napari_microus.core.models import fast, folded
from napari_microus.core.models.fast import FastGroupNorm, prepare_for_inference
from napari_microus.core.models.resnet import GroupNorm
from trained_transunet import trained_transunet

OPTIONS = [
    {},
    {"in_channels": 3},
    {"bottleneck_dilation": True, "skip_attention": True},
    {"encoder": "efficientnet_lite0"},
]


@pytest.fixture
def frames():
    return torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_float32_answers_are_the_plain_ones(monkeypatch, frames, options, packs):
    if not packs:
        monkeypatch.setattr(fast, "can_pack", lambda dtype: False)
    model = trained_transunet(**options)

    with torch.inference_mode():
        expected = model(frames).logits
        found = prepare_for_inference(model, torch.float32)(frames)

    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_bfloat16_is_closer_than_plain_autocast(monkeypatch, frames, options, packs):
    if not packs:
        monkeypatch.setattr(fast, "can_pack", lambda dtype: False)
    model = trained_transunet(**options)

    with torch.inference_mode():
        expected = model(frames).logits
        with torch.autocast("cpu", torch.bfloat16):
            usual = (model(frames).logits.float() - expected).abs()
        error = (prepare_for_inference(model, torch.bfloat16)(frames) - expected).abs()

    # Depthwise filters add up few products: their rounding averages out less (0.66 of
    # the mean and 0.96 of the largest with PyTorch 2.4).
    is_depthwise = "encoder" in options
    assert error.mean() < (0.7 if is_depthwise else 0.5) * usual.mean()
    assert error.max() < (1.0 if is_depthwise else 0.7) * usual.max()


def test_nothing_private_runs_where_it_does_not_pay(monkeypatch):
    folded.can_pack.cache_clear()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    try:
        prepared = prepare_for_inference(trained_transunet(), torch.float32)
        assert not any(
            getattr(module, "_packed", None) is not None
            for module in prepared.modules()
        )
    finally:
        folded.can_pack.cache_clear()


def test_torch_restricted_to_avx2_multiplies_no_bfloat16(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: True, raising=False)
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert fast.multiplies_bfloat16(cpu)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not fast.multiplies_bfloat16(cpu)


def test_the_plain_network_is_left_as_it_was(frames):
    model = trained_transunet().train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}

    prepare_for_inference(model)(frames)

    assert model.training
    assert model.state_dict().keys() == before.keys()
    for key, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


def test_one_frame_gives_the_same_alone_and_among_others(frames):
    prepared = prepare_for_inference(trained_transunet(), torch.float32)

    with torch.inference_mode():
        torch.testing.assert_close(
            prepared(frames[1:2]), prepared(frames)[1:2], atol=1e-3, rtol=0
        )


def test_answers_are_float32_and_full_size_under_autocast_too(frames):
    prepared = prepare_for_inference(trained_transunet(), torch.bfloat16)

    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = prepared(frames)

    assert logits.dtype == torch.float32
    assert logits.shape == frames.shape
    assert prepared.config.image_size == 64


def test_a_wrong_shape_is_named(frames):
    with pytest.raises(InputError, match=r"\(B, 1, 64, 64\); got"):
        prepare_for_inference(trained_transunet())(frames[..., :32])


@pytest.mark.parametrize("size", [14, 40])  # below and above the slow path's bound
@pytest.mark.parametrize("groups", [48, 8, 2])
def test_group_norm_equals_torchs(size, groups):
    torch.manual_seed(0)
    norm = GroupNorm(groups, 48, eps=1e-6)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    frames = 3 * torch.randn(2, 48, size, size) + 1
    frames = frames.contiguous(memory_format=torch.channels_last)

    with torch.inference_mode():
        found = FastGroupNorm(norm)(frames)
        expected = F.group_norm(frames, groups, norm.weight, norm.bias, 1e-6)

    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bfloat16_on_a_gpu_agrees_with_float32(frames):
    model = trained_transunet().cuda()

    with torch.inference_mode():
        expected = model(frames.cuda()).logits
        found = prepare_for_inference(model, torch.bfloat16)(frames.cuda())

    assert (found - expected).abs().mean() < 0.1 * expected.abs().mean()
