"""torchvision's ResNet50 in the encoder of the size-and-smoothness paper's U-Net."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
import torch.nn.functional as F

from napari_microus.core.config import ModelConfig
from napari_microus.core.config.published_weights import RESNET50
from napari_microus.core.download import RemoteFile
from napari_microus.core.errors import CheckpointError, DownloadError
from napari_microus.core.models import create_model, resnet50
from napari_microus.core.models.pretrained import load_encoder
from napari_microus.core.models.resnet50 import fetch_resnet50, load_resnet50

UNET = ModelConfig(architecture="resnet50_unet")
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
SD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def published():
    """Random weights under torchvision's names: 53 convolutions and a classifier."""
    torch.manual_seed(0)
    encoder = create_model(UNET).network.encoder
    found = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    for name, tensor in found.items():
        if name.endswith("running_mean"):
            found[name] = torch.randn_like(tensor) * 0.1
        elif name.endswith("running_var"):
            found[name] = 0.5 + torch.rand_like(tensor)
    found["conv1.weight"] = torch.randn(64, 3, 7, 7) * 0.05
    found["fc.weight"], found["fc.bias"] = torch.zeros(1000, 2048), torch.zeros(1000)
    assert (
        sum(name.endswith("weight") and t.ndim == 4 for name, t in found.items()) == 53
    )
    return found


def test_a_grey_frame_is_seen_as_the_same_frame_in_colours(published):
    """Inside the frame; at its border the published network pads scaled colours."""
    network = create_model(UNET).eval()
    load_resnet50(network, published)
    encoder = network.network.encoder
    grey = torch.rand(1, 1, 64, 64)
    scaled = (grey.expand(1, 3, 64, 64) - MEAN) / SD
    expected = F.batch_norm(
        F.conv2d(scaled, published["conv1.weight"], stride=2, padding=3),
        published["bn1.running_mean"],
        published["bn1.running_var"],
        published["bn1.weight"],
        published["bn1.bias"],
    )
    with torch.no_grad():
        found = encoder.bn1(encoder.conv1(grey))
    inner = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(found[inner], expected[inner], rtol=1e-4, atol=1e-4)
    assert torch.equal(
        encoder.layer4[2].conv3.weight, published["layer4.2.conv3.weight"]
    )


def test_weights_of_another_network_are_refused_and_change_nothing(published):
    network = create_model(UNET)
    before = network.network.encoder.conv1.weight.clone()
    short = {k: v for k, v in published.items() if k != "layer3.1.bn2.bias"}
    with pytest.raises(CheckpointError, match=r"missing layer3\.1\.bn2\.bias"):
        load_resnet50(network, short)
    bad = published["layer1.0.conv1.weight"] * float("nan")
    broken = published | {"layer1.0.conv1.weight": bad}
    with pytest.raises(CheckpointError, match="NaN or infinity in layer1"):
        load_resnet50(network, broken)
    assert torch.equal(network.network.encoder.conv1.weight, before)
    other = create_model(ModelConfig(architecture="basic_unet"))
    with pytest.raises(CheckpointError, match="got basic_unet in 2D"):
        load_resnet50(other, published)


def test_the_file_is_known_by_its_name_and_digest():
    assert RESNET50.checksum.removeprefix("sha256:").startswith("0676ba61")
    assert "0676ba61" in RESNET50.name
    assert RESNET50.url.endswith(f"/{RESNET50.name}")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "served"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield tmp_path / "served", f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_it_is_fetched_checked_and_loaded(served, published, tmp_path, monkeypatch):
    folder, address = served
    torch.save(published, folder / "r.pth")
    digest = hashlib.sha256((folder / "r.pth").read_bytes()).hexdigest()
    remote = RemoteFile(f"{address}/r.pth", "r.pth", checksum=f"sha256:{digest}")
    monkeypatch.setattr(resnet50, "RESNET50", remote)
    work = fetch_resnet50(tmp_path / "got")
    while True:
        try:
            next(work)
        except StopIteration as stop:
            path = stop.value
            break
    network = create_model(UNET)
    load_encoder(network, path)
    assert torch.equal(
        network.network.encoder.layer1[0].conv1.weight,
        published["layer1.0.conv1.weight"],
    )

    other = RemoteFile(f"{address}/r.pth", "s.pth", checksum=RESNET50.checksum)
    monkeypatch.setattr(resnet50, "RESNET50", other)
    with pytest.raises(DownloadError, match="must be the published file"):
        list(fetch_resnet50(tmp_path / "got"))
    assert not (tmp_path / "got" / "s.pth").exists()


def test_what_came_and_does_not_fit_is_removed(served, tmp_path, monkeypatch):
    folder, address = served
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, folder / "r.pth")
    monkeypatch.setattr(resnet50, "RESNET50", RemoteFile(f"{address}/r.pth", "r.pth"))
    with pytest.raises(CheckpointError, match="missing"):
        list(fetch_resnet50(tmp_path / "got"))
    assert list((tmp_path / "got").iterdir()) == []
