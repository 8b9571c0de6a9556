"""A model of volumes through MRML: one volume node a channel."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import slicer
import torch
import vtk
from conftest import AFFINES
from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene import grids, segments
from MicroUSLib.scene.nodes import ijk_to_ras
from MicroUSLib.segment import job
from MicroUSLib.segment.job import Request
from panel import Child, choose, pick, press

from napari_microus.core.config import BaselineConfig, ModelConfig
from napari_microus.core.errors import InputError
from napari_microus.core.io import read_volume
from napari_microus.core.library import DEFAULT_MODEL, load_model, save_model
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


def test_a_missing_channel_is_reported(files, lesion_model, load_volume):
    node = load_volume(files["t2w"])
    with pytest.raises(InputError, match="'lesion' takes t2w, adc; got one scan"):
        job.check(Request(node, model=lesion_model))
    with pytest.raises(InputError, match="'lesion' takes t2w, adc; got t2w"):
        job.check(Request(node, model=lesion_model, channels={"t2w": node}))


# --- the panel
@pytest.fixture
def loaded(files, lesion_model, load_volume, widget):
    """Both channels in the scene, and the model of volumes chosen in the panel."""
    nodes = {name: load_volume(path) for name, path in files.items()}
    widget.segment.choose_model("lesion")
    return nodes


def test_the_panel_offers_nodes_by_their_names(loaded, widget):
    channels = widget.segment.channels
    assert channels.names == NAMES
    assert {n: channels.selector(n).currentNode() for n in NAMES} == loaded
    assert not widget.ui.channelsHolder.isHidden()
    assert widget.ui.applyButton.isEnabled()
    # What is for frames alone is not for this model.
    for name in ("scopeComboBox", "fillHolesCheckBox", "probeComboBox"):
        assert not getattr(widget.ui, name).isEnabled()

    pick(widget.ui.modelComboBox, DEFAULT_MODEL)
    assert widget.ui.channelsHolder.isHidden()
    assert widget.ui.scopeComboBox.isEnabled()


def test_apply_puts_the_mask_over_the_first_channel(loaded, widget, files, shown):
    channels = {name: read_volume(path) for name, path in files.items()}
    model = load_model("lesion")
    expected = drain(predict_volume(model, channels, device="cpu"), ignore).mask.array
    # Compare or Train may look at another scan.
    choose(widget, volume=loaded["adc"], scope="Shown slice", device="cpu")

    press(widget.ui.applyButton)
    Child.made.run_here()

    assert shown == []
    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    first = loaded["t2w"]
    assert widget._parameterNode.volume is first
    assert grids.scan_of_annotation(node) is first
    np.testing.assert_array_equal(segments.segment_array(node, key, first), expected)
    geometry = node.GetBinaryLabelmapInternalRepresentation(key)
    matrix = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(matrix)
    ours = slicer.util.arrayFromVTKMatrix(matrix)[:3, :3]
    np.testing.assert_allclose(ours, ijk_to_ras(first)[:3, :3], atol=1e-6)
    segment = node.GetSegmentation().GetSegment(key)
    assert segment.GetName() == "lesion"  # no capsule
    assert "'lesion' is in 'p1_t2w lesion'" in widget.ui.segmentStatusLabel.text()


def test_one_volume_for_two_channels_is_refused(loaded, widget):
    widget.segment.channels.selector("adc").setCurrentNode(loaded["t2w"])
    assert not widget.ui.applyButton.isEnabled()
    assert "'p1_t2w' is chosen for both" in widget.ui.applyButton.toolTip()


def test_a_channel_that_leaves_the_scene_is_asked_for_again(
    loaded, widget, files, load_volume, wait
):
    selector = widget.segment.channels.selector("adc")
    slicer.mrmlScene.RemoveNode(loaded["adc"])
    wait(lambda: selector.currentNode() is None)
    assert not widget.ui.applyButton.isEnabled()
    assert "No image is chosen for adc" in widget.ui.applyButton.toolTip()

    again = load_volume(files["adc"])
    widget.exit()
    widget.enter()
    assert selector.currentNode() is again
    assert widget.segment.channels.selector("t2w").currentNode() is loaded["t2w"]


def test_a_choice_stays_when_others_are_loaded(loaded, widget, files, load_volume):
    selector = widget.segment.channels.selector("adc")
    other = load_volume(files["t2w"])
    selector.setCurrentNode(other)
    load_volume(files["adc"])
    widget.exit()
    widget.enter()
    assert selector.currentNode() is other
