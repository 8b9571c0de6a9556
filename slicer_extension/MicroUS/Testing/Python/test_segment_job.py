import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import slicer
import torch
from conftest import AFFINES
from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.process import Runner
from MicroUSLib.scene import annotations, segments
from MicroUSLib.segment import job, script
from MicroUSLib.segment.job import Request

from napari_microus.core.errors import CheckpointError, ConfigError, InputError
from napari_microus.core.events import Progress
from napari_microus.core.io import read_volume
from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.predict import predict


def this_python(on_event, on_outcome):
    return Runner(on_event, on_outcome, sys.executable)


def run_here(volume, segmentation=None, **choices):
    """What the child does, in this process: its start takes seconds."""
    from napari_microus.cli import app, commands  # noqa: F401

    request = Request(volume, segmentation, **choices)
    job.check(request)
    with tempfile.TemporaryDirectory() as folder:
        app(job.arguments(request, Path(folder)), standalone_mode=False)
        return job.collect(request, Path(folder))


@pytest.mark.parametrize("kind", [*AFFINES, "single frame"])
def test_same_file_gives_the_same_mask_as_napari(
    kind, library, blob, nifti, load_volume, transform
):
    """napari's path is read_volume and predict; ours goes through MRML."""
    affine = AFFINES.get(kind, AFFINES["oblique"])
    path = nifti(blob[2:3] if kind == "single frame" else blob, affine)
    napari = drain(
        predict(load_model(DEFAULT_MODEL), read_volume(path), device="cpu"), ignore
    )
    volume = load_volume(path)
    volume.SetAndObserveTransformNodeID(transform.GetID())

    node, key = run_here(volume, device="cpu")

    ours = segments.segment_array(node, key, volume)
    np.testing.assert_array_equal(ours, napari.mask.array)
    assert ours.any()
    assert node.GetParentTransformNode() is transform


@pytest.fixture
def one_thread():
    """Sum in the order of a child: in these tests it has one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_child_process_gives_the_same_mask_too(
    library, blob, nifti, load_volume, one_thread
):
    path = nifti(blob, AFFINES["left-handed"])
    napari = drain(
        predict(load_model(DEFAULT_MODEL), read_volume(path), device="cpu"), ignore
    )
    volume = load_volume(path)
    stated = []

    node, key = script.run_and_wait(
        volume, device="cpu", on_event=stated.append, make_runner=this_python
    )

    np.testing.assert_array_equal(
        segments.segment_array(node, key, volume), napari.mask.array
    )
    assert 4 in [e.done for e in stated if isinstance(e, Progress)]


@pytest.mark.parametrize("kind", [*AFFINES, "single frame"])
def test_metrics_of_both_paths_are_identical(kind, library, blob, nifti, load_volume):
    from dataclasses import asdict

    from napari_microus.core.metrics import evaluate_case

    scan = blob[2:3] if kind == "single frame" else blob
    path = nifti(scan, AFFINES.get(kind, AFFINES["oblique"]))
    reference = np.zeros(scan.shape, bool)
    reference[:, 15:45, 15:45] = True
    grid = read_volume(path)
    one = drain(predict(load_model(DEFAULT_MODEL), grid, device="cpu"), ignore).mask
    volume = load_volume(path)
    node, key = run_here(volume, device="cpu")
    two = annotations.mask_from_node(node, key, volume, "model's")

    napari = evaluate_case(one.array.astype(bool), reference, grid.spacing_mm)
    ours = evaluate_case(two.array.astype(bool), reference, two.spacing_mm)
    assert _rounded(str(asdict(napari))) == _rounded(str(asdict(ours)))


def _rounded(text):
    """Numbers to the precision that a NIfTI header keeps of a spacing."""
    import re

    return re.sub(r"\d+\.\d+", lambda m: f"{float(m[0]):.5f}", text)


def test_one_frame_is_the_frame_of_the_whole_run(library, blob, nifti, load_volume):
    volume = load_volume(nifti(blob, AFFINES["left-handed"]))
    node, key = run_here(volume, device="cpu")
    whole = segments.segment_array(node, key, volume)
    emptied = whole.copy()
    emptied[1] = 0
    segments.change_frames(emptied, [1], node, key, volume)

    _, again = run_here(volume, node, device="cpu", frames=(1,))

    assert again == key
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), whole)


def test_command_line_has_every_choice(library, make_volume, tmp_path):
    request = Request(
        make_volume(),
        model="mine",
        device="cuda",
        frames=(0, 2),
        options={"batch_size": 4, "fill_holes": False, "flip": True},
    )
    line = job.arguments(request, tmp_path)
    assert line == [
        "segment",
        str(tmp_path / "scan.nii"),
        *("--output", str(tmp_path / "capsule.nii")),
        *("--model", "mine", "--device", "cuda", "--frames", "0,2"),
        *("--batch-size", "4", "--no-fill-holes", "--flip"),
        *("--progress", "json"),
    ]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": "nosuch"}, ConfigError, "got 'nosuch'"),
        ({"frames": (7,)}, InputError, "between 0 and 4; got 7"),
        ({"volume": None}, InputError, "got none"),
    ],
)
def test_wrong_request_is_reported_before_anything_starts(
    changes, error, words, library, make_volume
):
    with pytest.raises(error, match=words):
        job.check(Request(**({"volume": make_volume()} | changes)))


def test_damaged_model_is_reported(library, make_volume, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_text("architecture: transunet\n")
    with pytest.raises(CheckpointError):
        job.check(Request(make_volume(), model=str(tmp_path / "broken")))


def test_volume_that_left_the_scene_is_reported(library, make_volume, tmp_path):
    volume = make_volume()
    request = Request(volume)
    slicer.mrmlScene.RemoveNode(volume)
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="it was removed"):
        job.collect(request, tmp_path)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_volume_that_was_cropped_meanwhile_is_reported(library, make_volume, tmp_path):
    volume = make_volume()
    request = Request(volume)
    job.arguments(request, tmp_path)
    (tmp_path / "scan.nii").rename(tmp_path / "capsule.nii")
    slicer.util.updateVolumeFromArray(volume, np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(InputError, match=r"\(2, 8, 8\) instead of \(5, 48, 64\)"):
        job.collect(request, tmp_path)


def test_missing_device_is_reported_by_the_child(library, make_volume):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device that must be missing")
    before = slicer.mrmlScene.GetNumberOfNodes()
    volume = make_volume()
    with pytest.raises(RuntimeError, match=r"Choose Automatic \(auto\)"):
        script.run_and_wait(volume, device="cuda", make_runner=this_python)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert slicer.mrmlScene.GetNumberOfNodes() > before  # the volume itself
