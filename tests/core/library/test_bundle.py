import json

import numpy as np
import pytest
import torch

from napari_microus.core.config import ModelConfig
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import drain
from napari_microus.core.io import read_mask, write_volume
from napari_microus.core.library import LoadedModel
from napari_microus.core.library.bundle import export_bundle
from napari_microus.core.models import create_model
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume
from tiny_network import TINY


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = {"architecture": "transunet", "transunet": TINY}
    network = create_model(ModelConfig.from_dict(config)).eval()
    torch.nn.init.normal_(network.segmentation_head[0].weight, std=1.0)
    described = {"architecture": "transunet", "options": TINY}
    return LoadedModel(network, "tiny", "1", described, "# tiny", {}, "abc")


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    return export_bundle(model, tmp_path_factory.mktemp("out") / "tiny")


def test_it_has_the_files_that_monai_looks_for(bundle):
    found = {str(p.relative_to(bundle)) for p in bundle.rglob("*") if p.is_file()}
    assert found == {
        "configs/metadata.json",
        "configs/inference.json",
        "models/model.ts",
        "docs/README.md",
    }
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text("utf-8"))
    assert {"version", "monai_version", "network_data_format"} <= set(metadata)
    assert "Not for clinical use" in metadata["description"]


def test_its_network_takes_frames_of_any_size(bundle, model):
    frames = torch.rand(2, 1, 32, 32)
    network = torch.jit.load(bundle / "models" / "model.ts")
    with torch.no_grad():
        expected = model.network(frames).logits
        torch.testing.assert_close(network(frames), expected, atol=1e-4, rtol=1e-4)
        assert network(torch.rand(3, 1, 50, 70)).shape == (3, 1, 50, 70)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:parsing config_file")  # MONAI warns of any
@pytest.mark.filterwarnings("ignore:NvImgCodec")  # and of a reader it does not need
@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_monai_runs_it_to_the_mask_that_we_predict(bundle, model, tmp_path, dtype):
    from monai.bundle import run

    array = np.random.default_rng(0).integers(0, 200, (3, 40, 56)).astype(dtype)
    scan = Volume.from_spacing(array, (2.0, 0.3, 0.2))
    write_volume(scan, tmp_path / "scans" / "one.nii.gz")
    work = predict(
        *(model, scan),
        device="cpu",
        largest_component=False,
        fill_holes=False,
        opening=0,
        precision="float32",
    )
    expected = drain(work).mask

    with torch.enable_grad():  # puts back what the bundle switches off
        run(
            config_file=str(bundle / "configs" / "inference.json"),
            bundle_root=str(bundle),
            dataset_dir=str(tmp_path / "scans"),
            output_dir=str(tmp_path / "capsules"),
        )

    found = read_mask(tmp_path / "capsules" / "one_capsule.nii.gz")
    assert found.shares_grid(expected)
    assert 0 < expected.array.mean() < 1
    assert (found.array != expected.array).mean() < 1e-3


def test_an_existing_folder_is_left_alone(model, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        export_bundle(model, tmp_path / "mine")
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_a_model_of_volumes_is_refused_before_anything_is_written(model, tmp_path):
    described = {"input": {"spatial_dims": 3, "channels": ["t2w", "adc"]}}
    volumes = LoadedModel(model.network, "lesion", "1", described, "", {})
    with pytest.raises(InputError, match="'lesion', which takes volumes of t2w, adc"):
        export_bundle(volumes, tmp_path / "out")
    assert not list(tmp_path.iterdir())
