import numpy as np
import pytest
import torch

from napari_microus.core.config import BaselineConfig, ModelConfig, TransUNetConfig
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.models import create_model
from napari_microus.core.models.export import export_model
from napari_microus.core.models.network_mean import NetworkMean
from napari_microus.core.models.transunet import TransUNet
from small_disk import files_of_at_most


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = TransUNet(TransUNetConfig.small(image_size=64, in_channels=3))
    torch.nn.init.normal_(model.segmentation_head[0].weight, std=0.2)
    return model.train()


@pytest.fixture(scope="module")
def frames():
    return torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def expected(model, frames):
    with torch.no_grad():
        logits = model.eval()(frames).logits
    model.train()
    return logits


def test_onnx_answers_as_the_network_does(tmp_path, model, frames, expected):
    runtime = pytest.importorskip("onnxruntime")
    export_model(model, tmp_path / "model.onnx")

    session = runtime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"frames": frames.numpy()})

    np.testing.assert_allclose(logits, expected, atol=1e-3, rtol=0)
    assert model.training


def test_torchscript_answers_as_the_network_does(tmp_path, model, frames, expected):
    export_model(model, tmp_path / "model.pt")

    with torch.no_grad():
        logits = torch.jit.load(tmp_path / "model.pt")(frames)

    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=0)


def test_other_suffixes_and_existing_files_are_refused(tmp_path, model):
    with pytest.raises(InputError, match=r"\.onnx or \.pt; got 'model\.pkl'"):
        export_model(model, tmp_path / "model.pkl")
    (tmp_path / "model.pt").write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        export_model(model, tmp_path / "model.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_a_full_disk_is_reported(tmp_path, model):
    # PyTorch's own writer would end the process here.
    with files_of_at_most(5000), pytest.raises(OutputError, match="File too large"):
        export_model(model, tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


VOLUMES = BaselineConfig(32, 3, 2, (32, 32, 64), 4)


def of_volumes(seed=0):
    torch.manual_seed(seed)
    return create_model(ModelConfig("basic_unet", baseline=VOLUMES)).eval()


@pytest.mark.parametrize("kind", ["one", "ensemble"])
def test_a_network_of_volumes_answers_alike_in_both_formats(tmp_path, kind):
    runtime = pytest.importorskip("onnxruntime")
    network = (
        of_volumes() if kind == "one" else NetworkMean([of_volumes(), of_volumes(1)])
    )
    patches = torch.randn(3, 2, 32, 32, 64)
    with torch.no_grad():
        expected = network(patches)

    for name in ("model.onnx", "model.pt"):
        export_model(network, tmp_path / name)
    session = runtime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"patches": patches.numpy()})
    np.testing.assert_allclose(logits, expected, atol=1e-3, rtol=0)
    with torch.no_grad():
        scripted = torch.jit.load(tmp_path / "model.pt")(patches)
    torch.testing.assert_close(scripted, expected, atol=1e-3, rtol=0)
