import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.download import RemoteFile
from napari_microus.core.errors import CheckpointError
from napari_microus.core.models import imagenet21k
from napari_microus.core.models.imagenet21k import (
    fetch_imagenet21k,
    load_imagenet21k,
    read_imagenet21k,
)
from napari_microus.core.models.transunet import TransUNet

POSITIONS = "Transformer/posembed_input/pos_embedding"


@pytest.fixture(scope="module")
def small(reference):
    return reference("small")


@pytest.fixture
def model(small):
    model = TransUNet(TransUNetConfig(**small.dims)).eval()
    model.load_state_dict(small.state_dict())
    return model


@pytest.fixture(scope="module")
def npz(small):
    return small.npz()


def test_small_reference_outputs_are_met(model, npz, small, assert_reference_outputs):
    load_imagenet21k(model, npz)

    assert_reference_outputs(model, small.image, small.npz_outputs)


@pytest.mark.slow
def test_base_reference_outputs_are_met(reference, assert_reference_outputs):
    golden = reference("base")
    model = TransUNet(TransUNetConfig.base()).eval()
    model.load_state_dict(golden.state_dict())

    load_imagenet21k(model, golden.npz())

    assert_reference_outputs(model, golden.image, golden.npz_outputs)


def test_positions_of_another_grid_are_interpolated_linearly(small, npz):
    """The grid's corners stay, and a linear ramp stays one."""
    model = TransUNet(TransUNetConfig(**small.dims, image_size=256))
    ramp = np.add.outer(10.0 * np.arange(14), np.arange(14)).reshape(1, 196, 1)
    token = np.full((1, 1, 48), 1e6)  # the class token, which must not leak in
    positions = np.concatenate([token, np.repeat(ramp, 48, -1)], axis=1)

    load_imagenet21k(model, npz | {POSITIONS: positions})

    found = model.transformer.embeddings.position_embeddings.detach().numpy()
    axis = np.linspace(0, 13, 16)
    expected = np.add.outer(10 * axis, axis).reshape(1, 256, 1)
    np.testing.assert_allclose(found, np.repeat(expected, 48, -1), rtol=1e-5)


def test_entries_of_more_layers_and_the_classifier_are_left_out(model, npz):
    extra = {"head/kernel": np.zeros((48, 9)), "pre_logits/bias": np.zeros(48)}

    load_imagenet21k(model, npz | extra)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda npz: npz.pop("conv_root/kernel"), "missing conv_root/kernel"),
        (
            lambda npz: npz.update({"conv_root/kernel": np.zeros((7, 7, 1, 64))}),
            r"misshapen conv_root/kernel \(7, 7, 1, 64\) for \(64, 3, 7, 7\)",
        ),
        (
            lambda npz: npz.update({POSITIONS: np.zeros((1, 198, 48))}),
            f"misshapen {POSITIONS}",
        ),
        (
            lambda npz: npz.update({"gn_root/bias": np.full((1, 1, 1, 64), np.nan)}),
            "finite; got NaN or infinity in gn_root/bias",
        ),
    ],
)
def test_foreign_entries_are_named_and_nothing_is_loaded(model, npz, change, message):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    changed = dict(npz)
    change(changed)

    with pytest.raises(CheckpointError, match=message):
        load_imagenet21k(model, changed)

    for key, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


def test_file_is_read_by_name(tmp_path):
    np.savez(tmp_path / "weights.npz", **{"conv_root/kernel": np.ones(3)})

    arrays = read_imagenet21k(tmp_path / "weights.npz")

    assert list(arrays) == ["conv_root/kernel"]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken"])
def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "weights.npz"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="whole and readable file; got"):
        read_imagenet21k(path)


def test_truncated_and_missing_files_are_named(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.arange(10_000))
    path.write_bytes(path.read_bytes()[:-500])

    for wrong in (path, tmp_path / "none.npz"):
        with pytest.raises(CheckpointError, match="whole and readable"):
            read_imagenet21k(wrong)


def test_pickles_in_the_archive_are_not_opened(tmp_path):
    np.savez(tmp_path / "weights.npz", a=np.array([{"run": "me"}], dtype=object))

    with pytest.raises(CheckpointError, match="whole and readable"):
        read_imagenet21k(tmp_path / "weights.npz")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_fetched_file_that_does_not_fit_is_removed(tmp_path, monkeypatch):
    (tmp_path / "served").mkdir()
    source = tmp_path / "served" / "weights.npz"
    np.savez(source, a=np.ones(3))
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(source.parent))
    )
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    url = f"http://127.0.0.1:{server.server_port}/weights.npz"
    remote = RemoteFile(url, "weights.npz", checksum=f"sha256:{digest}")
    monkeypatch.setattr(imagenet21k, "IMAGENET21K", remote)
    try:
        with pytest.raises(CheckpointError, match="missing Transformer/posembed"):
            list(fetch_imagenet21k(tmp_path / "got"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert list((tmp_path / "got").iterdir()) == []
