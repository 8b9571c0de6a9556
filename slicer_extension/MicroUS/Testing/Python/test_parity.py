"""The same files by napari's path (the core alone) and through MRML."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.compare import adjudication, comparison
from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene import annotations, segments
from MicroUSLib.scene.annotations import Annotator

from napari_microus.core import compare as core
from napari_microus.core.compare.adjudication.document import (
    Origin,
    from_document,
    to_document,
)
from napari_microus.core.compare.adjudication.journal import (
    journal_path,
    write_journal,
)
from napari_microus.core.compare.adjudication.sidecar import (
    read_document,
    save_adjudication,
)
from napari_microus.core.io import read_volume
from napari_microus.core.metrics import evaluate_case

CASES = [*AFFINES, *(f"single frame, {kind}" for kind in AFFINES)]
SETTINGS = {  # as the dock Compare annotations writes them
    "rank_by": "contour_distance",
    "through_frames": False,
    "stretches": False,
    "smallest_px": 1,
    "blind": {"is_blind": False},
}


@pytest.fixture(params=["in the scene", "under a transform"])
def parent(request, transform):
    return transform if request.param == "under a transform" else None


@pytest.fixture
def files(pixels, mask, nifti):
    """Write scan and two masks in one geometry; return their paths."""

    def write(case):
        affine = AFFINES[case.removeprefix("single frame, ")]
        frames = slice(1, 2) if case.startswith("single") else slice(None)
        second = mask.copy()
        second[1, 10:30, 50:55] = 1
        second[1, 24:30, 20:26] = 0
        second[3, 10:14, 20:50] = 0
        return [
            nifti(array[frames], affine, f"{name}.nii.gz")
            for name, array in (("scan", pixels), ("expert", mask), ("other", second))
        ]

    return write


@pytest.fixture
def loaded(load_volume, parent):
    """Read the three files as Slicer does: one mask a segmentation, one a volume."""

    def load(paths):
        scan = load_volume(paths[0])
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(paths[1]))
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "expert")
        assert storage.ReadData(node)
        other = load_volume(paths[2], "vtkMRMLLabelMapVolumeNode")
        if parent is not None:
            for one in (scan, node, other):
                one.SetAndObserveTransformNodeID(parent.GetID())
        [(key, _)] = annotations.parts_of(node)
        return scan, Annotator(node, key, "expert"), Annotator(other, "1", "non-expert")

    return load


def compared(nodes):
    return comparison.compare(
        *nodes,
        kernel_size=4,
        rank_by="contour_distance",
        through_frames=False,
        on_event=ignore,
    )


def rounded(value):
    """Numbers to the precision that a NIfTI header keeps of a spacing."""
    text = json.dumps(value, default=str)
    return re.sub(r"-?\d+\.\d+(e-?\d+)?", lambda m: f"{float(m[0]):.4f}", text)


@pytest.mark.parametrize("case", CASES)
def test_masks_and_hard_region_are_identical(case, files, loaded):
    paths = files(case)
    nodes = loaded(paths)
    masks = [read_volume(path).array for path in paths[1:]]

    found = compared(nodes)

    for ours, theirs in zip(found.masks, masks, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(found.codes, core.disagreement_map(*masks))
    np.testing.assert_array_equal(found.hard, core.hard_region(*masks, 4))
    affine = read_volume(paths[0]).affine
    np.testing.assert_allclose(found.grid.affine, affine, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_metrics_are_identical(case, files, loaded):
    paths = files(case)
    nodes = loaded(paths)
    one, two = (read_volume(path) for path in paths[1:])
    codes = core.disagreement_map(one.array, two.array)
    rows = drain(core.compare_frames(one.array, two.array, one.spacing_mm), ignore)
    regions = drain(core.disputed_regions(codes, one.spacing_mm), ignore)

    found = compared(nodes)

    assert len(found.regions) == len(regions) > 1
    for ours, theirs in zip(found.regions, regions, strict=True):
        assert (ours.box, ours.frame, ours.drawn_by) == (
            *(theirs.box, theirs.frame, theirs.drawn_by),
        )
        assert ours.distance_mm == pytest.approx(theirs.distance_mm, rel=1e-5)
        assert ours.area_mm2 == pytest.approx(theirs.area_mm2, rel=1e-5)
    assert rounded([asdict(r) for r in found.rows]) == rounded(
        [asdict(r) for r in rows]
    )
    assert rounded([asdict(p) for p in found.places]) == rounded(
        [asdict(p) for p in core.disagreement_by_place(codes, one.patient_affine)]
    )
    napari = evaluate_case(two.array > 0, one.array > 0, one.spacing_mm)
    ours = evaluate_case(found.masks[1] > 0, found.masks[0] > 0, found.grid.spacing_mm)
    assert rounded(asdict(ours)) == rounded(asdict(napari))


def begun_in_napari(paths):
    one, two = (read_volume(path) for path in paths[1:])
    codes = core.disagreement_map(one.array, two.array)
    regions = drain(core.disputed_regions(codes, one.spacing_mm), ignore)
    work = core.Adjudication(codes, regions, who="ab")
    return work, Origin("expert", "other", one.spacing_mm, SETTINGS), one


def document(path):
    """A sidecar without the times, and with spacing as far as a header keeps it."""
    text = read_document(path)
    for item in (text, *text["regions"], *text["log"]):
        for key in ("created", "modified", "when"):
            item.pop(key, None)
    # Its history holds times too, in verdicts as well.
    return json.loads(re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', '""', rounded(text)))


def assert_same_files(ours, theirs):
    for suffix in ("", "_provenance"):
        one = read_volume(ours.with_name(f"{ours.name}{suffix}.nii.gz"))
        two = read_volume(theirs.with_name(f"{theirs.name}{suffix}.nii.gz"))
        np.testing.assert_array_equal(one.array, two.array)
        np.testing.assert_allclose(one.affine, two.affine, atol=1e-5)
    assert document(f"{ours}.json") == document(f"{theirs}.json")


def draw(work):
    """A stroke by hand in the first frame."""
    work.mask[0, 40:44, 5:9] = 1
    work.hand_drawn((slice(0, 1), slice(None), slice(None)))


def draw_in_segment(case, volume):
    key = {n: k for k, n in annotations.parts_of(case.node)}["Adjudicated"]
    drawn = segments.segment_array(case.node, key, volume)
    drawn[0, 40:44, 5:9] = 1
    segments.change_frames(drawn, [0], case.node, key, volume)


@pytest.mark.parametrize("case", CASES)
def test_case_begun_in_napari_is_finished_in_slicer(case, files, loaded, tmp_path):
    paths = files(case)
    work, origin, grid = begun_in_napari(paths)
    work.decide(work.regions[0], "nonexpert")
    draw(work)
    save_adjudication(work, origin, grid, tmp_path / "begun.nii.gz")

    found = compared(loaded(paths))
    case, notice = adjudication.resume(found, str(tmp_path / "begun.nii.gz"))
    assert notice == ""
    assert case.work.decided_count == 1
    for region in found.regions[1:]:
        case.decide(region, "expert")
    case.save(str(tmp_path / "slicer.nii.gz"), overwrite=False)

    for region in work.regions[1:]:
        work.decide(region, "expert")
    save_adjudication(work, origin, grid, tmp_path / "napari.nii.gz")
    assert_same_files(tmp_path / "slicer", tmp_path / "napari")


@pytest.mark.parametrize("case", CASES)
def test_case_begun_in_slicer_is_finished_in_napari(case, files, loaded, tmp_path):
    paths = files(case)
    nodes = loaded(paths)
    found = compared(nodes)
    case = adjudication.begin(found, "ab")
    case.decide(found.regions[0], "nonexpert")
    draw_in_segment(case, nodes[0])
    case.save(str(tmp_path / "begun.nii.gz"), overwrite=False)

    plain, origin, grid = begun_in_napari(paths)
    work, origin, changed = from_document(
        read_document(tmp_path / "begun.json"), plain.codes
    )
    assert changed is None
    for region in work.regions[1:]:
        work.decide(region, "expert")
    save_adjudication(work, origin, grid, tmp_path / "napari.nii.gz")

    for region in found.regions[1:]:
        case.decide(region, "expert")
    case.save(str(tmp_path / "slicer.nii.gz"), overwrite=False)
    assert_same_files(tmp_path / "slicer", tmp_path / "napari")


@pytest.mark.parametrize("case", CASES)
def test_journal_begun_in_napari_is_found_in_slicer(
    case, files, loaded, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = files(case)
    work, origin, grid = begun_in_napari(paths)
    work.decide(work.regions[0], "nonexpert")
    path = journal_path(work.digest, work.codes.shape, grid.spacing_mm)
    write_journal(to_document(work, origin), path)

    kept = adjudication.unsaved(compared(loaded(paths)))
    assert [r["decision"] for r in kept["regions"]].count("nonexpert") == 1
