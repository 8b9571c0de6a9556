"""A model of volumes through MRML: one volume node a channel."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import AFFINES
from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene import segments
from MicroUSLib.segment import job
from MicroUSLib.segment.job import Request

from napari_microus.core.config import BaselineConfig, ModelConfig
from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume
from napari_microus.core.library import load_model, save_model
from napari_microus.core.models import create_model
from napari_microus.core.multichannel.stacking import stack_channels
from napari_microus.core.predict.volumes import predict_volume

NAMES = ("t2w", "adc")


@pytest.fixture
def files(blob, nifti):
    """Two channels, the second of them finer in plane, in an oblique place."""
    fine = np.repeat(np.repeat(255 - blob, 2, axis=1), 2, axis=2)
    half = np.diag([0.5, 0.5, 1.0, 1.0])
    half[:2, 3] = -0.25  # edges, not middles, of the voxels lie on each other
    affine = AFFINES["oblique"]
    return {
        "t2w": nifti(blob, affine, "p1_t2w.nii.gz"),
        "adc": nifti(fine, affine @ half, "p1_adc.nii.gz"),
    }


@pytest.fixture
def lesion_model(library, files):
    """An untrained network that takes about half of the volume for its target."""
    torch.manual_seed(0)
    baseline = BaselineConfig(32, 3, 2, None, 4)
    network = create_model(ModelConfig("basic_unet", baseline=baseline)).eval()
    stack = stack_channels({n: read_volume(p) for n, p in files.items()})
    with torch.no_grad():
        block = torch.zeros(1, 2, 32, 32, 32)
        block[0, :, :4] = torch.from_numpy(stack[:, :, :32, :32])
        network.network.final_conv.bias -= network(block)[0, 0, :4].median()
    described = {"spatial_dims": 3, "patch_size": [32] * 3, "channels": list(NAMES)}
    config = {"architecture": "basic_unet", "options": baseline.to_dict()}
    save_model(
        library / "lesion",
        network,
        config=config | {"input": described},
        card="Untrained.",
        metrics={},
        overwrite=True,
    )
    return "lesion"


def run_here(channels, model):
    """What the child does, in this process."""
    from napari_microus.cli import app, commands  # noqa: F401

    request = Request(channels["t2w"], model=model, device="cpu", channels=channels)
    job.check(request)
    with tempfile.TemporaryDirectory() as folder:
        app(job.arguments(request, Path(folder)), standalone_mode=False)
        return job.collect(request, Path(folder))


def test_the_same_files_give_the_same_mask_as_napari(
    files, lesion_model, load_volume, transform
):
    channels = {name: read_volume(path) for name, path in files.items()}
    model = load_model(lesion_model)
    expected = drain(predict_volume(model, channels, device="cpu"), ignore).mask.array
    nodes = {name: load_volume(path) for name, path in files.items()}
    for node in nodes.values():
        node.SetAndObserveTransformNodeID(transform.GetID())

    node, key = run_here(nodes, lesion_model)

    ours = segments.segment_array(node, key, nodes["t2w"])
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(ours, expected)
    assert node.GetParentTransformNode() is transform


def test_a_missing_channel_is_told(files, lesion_model, load_volume):
    node = load_volume(files["t2w"])
    with pytest.raises(InputError, match="'lesion' takes t2w, adc; got one scan"):
        job.check(Request(node, model=lesion_model))
    with pytest.raises(InputError, match="'lesion' takes t2w, adc; got t2w"):
        job.check(Request(node, model=lesion_model, channels={"t2w": node}))
