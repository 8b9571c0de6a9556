"""``napari-microus export``: from the command line to DICOM and back."""

import json

import numpy as np
import pydicom
import pytest
import trimesh

from dicom_files import FULL, dataset, region, save, series
from napari_microus.core import export as exporting
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.export import KINDS, Kind, export, kind_of
from napari_microus.core.io import read_mask, read_volume, write_mask

MADE = {
    "task": "segment",
    "image": "cine.dcm",
    "model": "microus-capsule",
    "model_version": "3",
}


@pytest.fixture
def cine(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 60), np.uint8)
    tissue = region((5, 34), (10, 49), cm=(0.02, 0.02))
    return save(dataset(frames, regions=[tissue], **FULL), tmp_path / "cine.dcm")


@pytest.fixture
def mask(cine, tmp_path):
    scan = read_volume(cine)
    array = np.zeros(scan.shape, np.uint8)
    array[1, 4:20, 5:30] = 1
    path = tmp_path / "masks" / "cine_capsule.nii.gz"
    write_mask(scan.like(array), path, provenance=MADE)
    return path


def test_a_mask_goes_to_dicom_and_back(run_command, cine, mask, tmp_path, capsys):
    out = tmp_path / "out.dcm"

    assert run_command("export", mask, "--scan", cine, "-o", out) == 0

    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == str(out)
    assert "names the patient" in printed[1]
    np.testing.assert_array_equal(read_mask(out).array, read_mask(mask).array)
    (segment,) = pydicom.dcmread(out).SegmentSequence
    assert segment.SegmentAlgorithmName == "microus-capsule"
    assert run_command("export", mask, "--scan", cine, "-o", out) == 2
    assert "Use --overwrite" in capsys.readouterr().err


def test_a_segmentation_is_evaluated_and_compared(run_command, cine, mask, tmp_path):
    seg = tmp_path / "out.dcm"
    run_command("export", mask, "--scan", cine, "-o", seg)
    other = read_mask(mask)
    array = other.array.copy()
    array[1, 4:12, 5:30] = 0  # half of 16 rows: 2 · 200 / (400 + 200)
    half = tmp_path / "half.nii.gz"
    write_mask(other.like(array), half)

    for pair in ((seg, half), (half, seg)):
        table = tmp_path / "table.json"
        assert run_command("evaluate", *pair, "-o", table, "--overwrite") == 0
        stated = json.loads(table.read_text(encoding="utf-8"))
        (case,) = stated["cases"].values()
        assert case["volume"]["dice"] == pytest.approx(2 / 3)
    hard = tmp_path / "hard.nii.gz"
    line = ["compare", seg, half, "--hard-region", hard, "--kernel-grid", "scan"]
    assert run_command(*line) == 0
    widened = read_volume(hard)
    assert widened.shape == other.shape
    assert widened.array[1, 4:12, 5:30].all()


def test_deidentified_on_request(
    run_command, cine, mask, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: tmp_path / "k")
    out = tmp_path / "out.dcm"

    line = ["export", mask, "--scan", cine, "-o", out, "--deidentified"]
    assert run_command(*line) == 0

    assert pydicom.dcmread(out).PatientID.startswith("P-")
    assert pydicom.dcmread(out).PatientID != "P-1"
    assert capsys.readouterr().out.strip() == str(out)


def test_a_structure_set_is_asked_for(run_command, tmp_path, capsys, cine, mask):
    series(tmp_path / "scan")
    scan = read_volume(tmp_path / "scan")
    array = np.zeros(scan.shape, np.uint8)
    array[2, 3:9, 4:20] = 1
    drawn = tmp_path / "drawn.nii.gz"
    write_mask(scan.like(array), drawn)
    out = tmp_path / "rt.dcm"
    line = ["export", drawn, "--scan", tmp_path / "scan", "-o", out, "--rtstruct"]

    assert run_command(*line) == 2
    assert "DICOM asks how the mask was drawn" in capsys.readouterr().err
    assert run_command(*line, "--drawn", "manual") == 0
    assert pydicom.dcmread(out).Modality == "RTSTRUCT"
    line = ["export", mask, "--scan", cine, "-o", tmp_path / "c.dcm", "--rtstruct"]
    assert run_command(*line) == 2
    assert "no frame of reference" in capsys.readouterr().err


def test_one_of_several_labels_is_chosen(run_command, cine, tmp_path):
    scan = read_volume(cine)
    array = np.zeros(scan.shape, np.uint8)
    array[1, 4:20, 5:30], array[2, 4:9, 5:9] = 1, 2
    write_mask(scan.like(array), tmp_path / "m.nii.gz")
    line = ["export", tmp_path / "m.nii.gz", "--scan", cine, "--drawn", "manual"]

    assert run_command(*line, "-o", tmp_path / "a.dcm") == 2
    assert run_command(*line, "-o", tmp_path / "a.dcm", "--label", "2") == 0
    np.testing.assert_array_equal(read_mask(tmp_path / "a.dcm").array, array == 2)


@pytest.mark.parametrize(
    ("words", "stated"),
    [
        (["-o", "out.dcm"], "The scan is needed for a DICOM Segmentation"),
        (["-o", "out.xyz"], r"End it in one of \.csv, \.dcm"),
        (["-o", "out.nii.gz", "--rtstruct"], "RT Structure Set ends in .dcm; this one"),
    ],
)
def test_what_is_missing_is_reported(run_command, mask, capsys, words, stated):
    import re

    assert run_command("export", mask, *words) == 2
    assert re.search(stated, capsys.readouterr().err)


def test_another_form_is_one_line_of_the_table(monkeypatch, tmp_path, mask):
    def write_text(mask, scan, output, *, provenance, overwrite, unit="mm"):
        del scan, provenance, overwrite
        output.write_text(f"{mask.shape} {unit}")
        return output

    kind = Kind("text", "a text", (".txt",), "dicom_seg:write_text", False, {"unit"})
    monkeypatch.setattr(exporting, "KINDS", (*KINDS, kind))
    monkeypatch.setattr(
        "napari_microus.core.export.dicom_seg.write_text", write_text, raising=False
    )
    volume = read_mask(mask)

    written = export(volume, None, tmp_path / "m.txt", unit="px", drawn=None)

    assert written.read_text(encoding="utf-8") == "(3, 30, 40) px"
    with pytest.raises(InputError, match=r"those of a text \(unit\); got deidentified"):
        export(volume, None, tmp_path / "n.txt", deidentified=True)
    with pytest.raises(InputError, match="got 'cake'"):
        kind_of("m.txt", "cake")
    with pytest.raises(OutputError, match=r"\.stl, \.txt; got m\.xyz"):
        kind_of("m.xyz")
    assert [kind_of("a.dcm").name, kind_of("a.DCM", "rtstruct").name] == [
        "dicom-seg",
        "rtstruct",
    ]


def test_every_form_of_the_table_can_be_imported():
    from importlib import import_module

    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        module, _, function = kind.writer.partition(":")
        assert callable(
            getattr(import_module(f"napari_microus.core.export.{module}"), function)
        )


def test_a_surface_takes_the_frame_distance_that_the_scan_was_stated(
    run_command, cine, mask, tmp_path, capsys
):
    out = tmp_path / "s.stl"
    assert run_command("export", mask, "--scan", cine, "-o", out) == 2
    assert "State their distance or angles" in capsys.readouterr().err
    assert run_command("scan", "set", cine, "--frame-distance-mm", "2") == 0

    assert run_command("export", mask, "--scan", cine, "-o", out) == 0

    # One frame of 16 rows by 25 columns of 0.2 mm: 2 mm thick, a little rounded off.
    surface = trimesh.load(out)
    assert surface.is_watertight
    assert surface.volume == pytest.approx(3.2 * 5 * 2, rel=0.15)
