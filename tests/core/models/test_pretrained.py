import pytest
import torch
from safetensors.torch import save_file

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.errors import CheckpointError
from napari_microus.core.models.pretrained import load_microsegnet, read_checkpoint
from napari_microus.core.models.transunet import TransUNet

CONFIG = TransUNetConfig.small(image_size=64, num_layers=1)
FIRST = "transformer.embeddings.position_embeddings"
LAST = "segmentation_head.0.bias"


@pytest.fixture
def weights():
    torch.manual_seed(0)
    return TransUNet(CONFIG).state_dict()


@pytest.fixture
def model():
    torch.manual_seed(1)
    return TransUNet(CONFIG)


def assert_loaded(model, weights):
    for key, tensor in weights.items():
        torch.testing.assert_close(model.state_dict()[key], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        lambda w: {f"module.{k}": v for k, v in w.items()},
        lambda w: {f"module._orig_mod.{k}": v for k, v in w.items()},
        lambda w: {"state_dict": w, "epoch": 3, "optimizer": {"lr": 0.1}},
        lambda w: {"epoch": 3, "model": {"net": {f"module.{k}": w[k] for k in w}}},
        lambda w: {"whatever": w},
        lambda w: {k: v for k, v in w.items() if "num_batches" not in k},
    ],
)
def test_weights_come_out_of_any_wrapping(tmp_path, model, weights, wrap):
    torch.save(wrap(weights), tmp_path / "model.pth")

    load_microsegnet(model, read_checkpoint(tmp_path / "model.pth"))

    assert_loaded(model, {k: v for k, v in weights.items() if "num_batches" not in k})


def test_wrapped_mapping_can_be_loaded_as_it_is(model, weights):
    load_microsegnet(
        model, {"state_dict": {f"module.{k}": v for k, v in weights.items()}}
    )

    assert_loaded(model, weights)


def test_safetensors_are_read(tmp_path, model, weights):
    save_file(weights, tmp_path / "model.safetensors")

    load_microsegnet(model, read_checkpoint(tmp_path / "model.safetensors"))

    assert_loaded(model, weights)


def test_first_key_of_each_kind_of_mismatch_is_named(model, weights):
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    weights["segmentation_head.0.weight"] = torch.zeros(9, 16, 3, 3)
    del weights[LAST]
    weights["foreign.weight"] = torch.zeros(1)
    weights["foreign.bias"] = torch.zeros(1)

    with pytest.raises(CheckpointError) as caught:
        load_microsegnet(model, weights)

    assert f"missing {LAST}, " in str(caught.value)
    assert "unexpected foreign.weight (and 1 more), " in str(caught.value)
    shapes = "misshapen segmentation_head.0.weight (9, 16, 3, 3) for (1, 8, 3, 3)"
    assert shapes in str(caught.value)
    assert_loaded(model, before)


def test_values_that_are_not_finite_are_refused(model, weights):
    weights[LAST] = torch.tensor([float("nan")])

    with pytest.raises(CheckpointError, match=f"infinity in {LAST}"):
        load_microsegnet(model, weights)


def test_options_keep_their_values_where_the_checkpoint_has_none(weights):
    torch.manual_seed(2)
    model = TransUNet(
        TransUNetConfig.small(
            image_size=64, num_layers=1, bottleneck_dilation=True, skip_attention=True
        )
    )

    load_microsegnet(model, weights)

    assert_loaded(model, weights)


@pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04...."])
def test_foreign_files_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="whole and readable file; got") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_truncated_and_missing_files_are_named(tmp_path, weights):
    path = tmp_path / "model.pth"
    torch.save(weights, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    for wrong in (path, tmp_path / "none.pth", tmp_path):
        with pytest.raises(CheckpointError, match="whole and readable file; got"):
            read_checkpoint(wrong)


class Code:
    def __reduce__(self):
        return (pytest.fail, ("the pickle ran",))


def test_code_in_a_pickle_does_not_run(tmp_path):
    torch.save({"state_dict": Code()}, tmp_path / "model.pth")

    with pytest.raises(CheckpointError, match="tensors only"):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [1, 2], torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pth")

    with pytest.raises(CheckpointError, match="tensors by name; got none"):
        read_checkpoint(tmp_path / "model.pth")
