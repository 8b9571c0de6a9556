"""Slicer's real MRML scene, and the application around it played by stand-ins."""

from __future__ import annotations

import os
import time
import zipfile

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import nibabel
import numpy as np
import pytest
import slicer

assert hasattr(slicer, "vtkMRMLScene"), "the PyPI package 'slicer' hides slicer-core"

import standin_widgets  # noqa: E402  slicer-core is there
import standins  # noqa: E402
from cine_file import write_cine  # noqa: E402

standins.install()

AFFINES = {
    "axis-aligned": np.diag([-0.1, -0.1, 0.5, 1.0]),
    "left-handed": np.diag([0.1, -0.1, 0.5, 1.0]),
    "oblique": np.array(
        [
            [-0.09, 0.02, 0.05, 12.0],
            [-0.02, -0.0979, 0.01, -30.5],
            [0.04, -0.008, 0.49, 7.25],
            [0.0, 0.0, 0.0, 1.0],
        ]
    ),
}
AFFINES["axis-aligned"][:3, 3] = 10, 20, -3
AFFINES["left-handed"][:3, 3] = -4, 8, 15


def _orthogonal(affine):
    """Keep the spacing and make the axes perpendicular, as image files have them."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    u, _, v = np.linalg.svd(affine[:3, :3] / spacing)
    fixed = affine.copy()
    fixed[:3, :3] = (u @ v) * spacing
    return fixed


AFFINES["oblique"] = _orthogonal(AFFINES["oblique"])


@pytest.fixture(autouse=True)
def scene():
    """An empty scene with Slicer's colours; message boxes are forgotten."""
    slicer.mrmlScene.Clear(0)
    slicer.segment_editors.clear()
    standin_widgets.shown.clear()
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    """Keep the locks and journals of two tests at once, and a person's, apart."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def shown():
    """The texts of all message boxes so far."""
    return standin_widgets.shown


@pytest.fixture
def pixels():
    rng = np.random.default_rng(7)
    return rng.integers(0, 255, (5, 48, 64), dtype=np.uint8)


@pytest.fixture
def mask(pixels):
    """A block of voxels off the centre of its frames, so that a flip would show."""
    block = np.zeros(pixels.shape, np.uint8)
    block[1:4, 10:30, 20:50] = 1
    return block


@pytest.fixture
def make_volume(pixels):
    def make(array=pixels, affine=AFFINES["axis-aligned"], name="scan"):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, array)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        node.CreateDefaultDisplayNodes()
        return node

    return make


@pytest.fixture
def load_volume():
    """Read a file as Slicer does, through its storage node."""

    def load(path, kind="vtkMRMLScalarVolumeNode"):
        node = slicer.mrmlScene.AddNewNodeByClass(kind, path.name.partition(".")[0])
        storage = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLVolumeArchetypeStorageNode"
        )
        storage.SetFileName(str(path))
        assert storage.ReadData(node)
        node.SetAndObserveStorageNodeID(storage.GetID())
        return node

    return load


@pytest.fixture
def nifti(tmp_path):
    """Write an array (k, j, i) with nibabel, which knows nothing of MRML."""

    def write(array, affine, name="scan.nii.gz"):
        image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
        nibabel.save(image, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def dicom(tmp_path, pixels):
    """Write the pixels as an ultrasound machine does; see `write_cine`."""

    def write(**choices):
        return write_cine(tmp_path / "cine.dcm", pixels, **choices)

    return write


@pytest.fixture
def reopen(tmp_path):
    """Save the scene as a bundle and open it as Slicer does: unpacked."""

    def save_and_open():
        bundle, folder = tmp_path / "scene.mrb", tmp_path / "bundle"
        assert slicer.mrmlScene.WriteToMRB(str(bundle))
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder)
        slicer.mrmlScene.Clear(0)
        [unpacked] = folder.rglob("*.mrml")
        slicer.mrmlScene.SetURL(str(unpacked))
        assert slicer.mrmlScene.Import()

    return save_and_open


@pytest.fixture
def transform():
    """A parent transform that turns and shifts."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "tilt")
    turn = np.array(
        [[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1]], dtype=float
    )
    slicer.util.updateTransformMatrixFromArray(node, turn)
    return node


@pytest.fixture(scope="session")
def library(tmp_path_factory, blob):
    """A user's library with one untrained model of the usual name.

    Its last bias is set so that it takes half of `blob` for capsule.
    """
    import torch

    from napari_microus.core.library import DEFAULT_MODEL, save_model
    from napari_microus.core.models.transunet import TransUNet, TransUNetConfig
    from napari_microus.core.preprocess import to_network

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = TransUNetConfig.small()
    network = TransUNet(config).eval()
    with torch.no_grad():
        frames = to_network(torch.from_numpy(blob[:, None]), config.image_size)
        network.segmentation_head[0].bias -= network(frames).logits.median()
    save_model(
        folder / DEFAULT_MODEL,
        network,
        config={"architecture": "transunet", "options": config.to_dict()},
        card="Untrained.",
        metrics={},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAPARI_MICROUS_MODELS", str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


@pytest.fixture(scope="session")
def blob():
    """Four frames with something round in them, brighter from frame to frame."""
    y, x = np.mgrid[:60, :80]
    spot = 200 * np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / 300)
    noise = np.random.default_rng(1).normal(0, 20, (4, 60, 80))
    steps = np.linspace(0.3, 1, 4)[:, None, None]
    return np.clip(spot * steps + noise + 30, 0, 255).astype(np.uint8)


@pytest.fixture
def wait():
    """Let the window live until a condition holds; give its longest standstill."""

    def wait(condition, seconds=120):
        longest, before = 0.0, time.monotonic()
        end = before + seconds
        while not condition():
            assert before < end, "waited in vain"
            slicer.app.processEvents()
            time.sleep(0.005)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        return longest

    return wait


@pytest.fixture
def nothing_missing(monkeypatch):
    from MicroUSLib.packages.install import Installer

    monkeypatch.setattr(Installer, "missing", lambda self: [])


@pytest.fixture
def widget(library, nothing_missing, tmp_path, monkeypatch):
    import MicroUS
    from panel import Child

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    widget = MicroUS.MicroUSWidget()
    widget.setup()
    widget.enter()
    Child.home, Child.made = tmp_path, None
    for part in (widget.segment, widget.correct, widget.train):
        part._make_runner = Child
    yield widget
    widget.cleanup()
    widget.parent.deleteLater()


@pytest.fixture
def compared(widget, make_volume, mask):
    """The widget after Compare on two segments of one node, two regions apart."""
    from MicroUSLib.scene import segments
    from panel import choose, press

    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[1, 10:30, 50:55] = 1
    second[3, 10:14, 20:50] = 0
    for name, array in (("expert", mask), ("student", second)):
        segments.add_segment(array, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    return widget


@pytest.fixture
def picture(make_volume, tmp_path, pixels):
    """A stack whose file states no size, as Slicer shows it: 1 mm."""
    import SimpleITK

    node = make_volume(pixels, np.diag([-1.0, -1.0, 1.0, 1.0]), name="sweep")
    path = tmp_path / "sweep.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node
