import json
import sys

import numpy as np
import pytest
import torch

from napari_microus.cli import main
from napari_microus.core import library
from napari_microus.core.config import TransUNetConfig
from napari_microus.core.events import drain
from napari_microus.core.io import read_volume, write_volume
from napari_microus.core.library import catalog
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.predict.confidence import DOUBTFUL
from napari_microus.core.volume import Volume
from tiny_network import TINY


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A library with one small untrained model, chosen by default."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", tmp_path / "bundled")
    torch.manual_seed(0)
    network = TransUNet(TransUNetConfig.from_dict(TINY))
    config = {"architecture": "transunet", "options": TINY, "version": "3"}
    folder = tmp_path / "models" / library.DEFAULT_MODEL
    return library.save_model(folder, network, config=config, card="# Tiny", metrics={})


@pytest.fixture
def scan(tmp_path):
    """A file with an oblique scan of three frames."""
    oblique = [[-0.3, 0.1, 0, 5], [0, -0.2, 0.4, 6], [0, 0, 2, 7], [0, 0, 0, 1]]
    array = np.random.default_rng(0).integers(0, 255, (3, 40, 60), np.uint8)
    path = tmp_path / "patient.nii.gz"
    write_volume(Volume(array, np.array(oblique)), path)
    return path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line; gives status, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["napari-microus", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_mask_lies_on_the_scans_grid_with_its_provenance(command, scan, tmp_path):
    status, out, _ = command("segment", scan, "-o", tmp_path / "mask.nii.gz")
    assert status == 0
    assert str(tmp_path / "mask.nii.gz") in out
    mask, image = read_volume(tmp_path / "mask.nii.gz"), read_volume(scan)
    assert mask.shares_grid(image)
    assert set(np.unique(mask.array)) <= {0, 1}
    made = json.loads((tmp_path / "mask.json").read_text(encoding="utf-8"))
    assert made["model"] == library.DEFAULT_MODEL
    assert made["model_version"] == "3"
    assert made["image"] == "patient.nii.gz"
    assert made["frames"] == "all"
    assert made["use"] == "not for clinical use"
    assert str(tmp_path) not in json.dumps(made)


def test_the_file_holds_what_predict_gives(command, scan, tmp_path):
    from napari_microus.core.predict import predict

    command("segment", scan, "-o", tmp_path / "m.nii.gz", "--precision", "float32")
    work = predict(library.load_model(), read_volume(scan), precision="float32")
    expected = drain(work).mask.array
    np.testing.assert_array_equal(read_volume(tmp_path / "m.nii.gz").array, expected)


def test_a_picture_gets_a_mask_of_its_pixels(command, tmp_path):
    from skimage.io import imsave

    pixels = np.random.default_rng(0).integers(0, 255, (30, 50), np.uint8)
    imsave(tmp_path / "frame.png", pixels, check_contrast=False)
    status, *_ = command("segment", tmp_path / "frame.png", "-o", tmp_path / "out")
    assert status == 0
    assert read_volume(tmp_path / "out/frame_capsule.nii.gz").shape == (1, 30, 50)


def test_a_folder_of_volumes_is_segmented_scan_by_scan(command, scan, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.nii.gz", "b.nrrd"):
        write_volume(read_volume(scan), folder / name)
    status, *_ = command("segment", folder, "-o", tmp_path / "out")
    assert status == 0
    shown = [p.name for p in (tmp_path / "out").iterdir() if p.name[0] != "."]
    assert sorted(shown) == [
        "a_capsule.json",
        "a_capsule.nii.gz",
        "b_capsule.json",
        "b_capsule.nii.gz",
        "contact_sheet.html",
        "contact_sheet_files",
        "measurements.csv",
    ]


def test_chosen_frames_and_probability(command, scan, tmp_path):
    status, *_ = command(
        *("segment", scan, "-o", tmp_path / "m.nii.gz", "--frames", "1-2"),
        *("--probability", tmp_path / "p.nii.gz"),
    )
    assert status == 0
    probability = read_volume(tmp_path / "p.nii.gz").array
    assert not probability[0].any()
    assert probability[1:].all()
    assert probability.max() <= 1
    assert json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))["frames"] == [
        1,
        2,
    ]


def test_progress_is_one_json_object_a_line(command, scan, tmp_path):
    _, out, _ = command(
        *("segment", scan, "-o", tmp_path / "m.nii.gz", "--progress", "json"),
        *("--batch-size", "2"),
    )
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["done"] for e in events if e["event"] == "Progress"] == [0, 2, 3]
    assert events[-1]["event"] == "Finished"
    assert events[-1]["result"]["mask"] == str(tmp_path / "m.nii.gz")


def test_nothing_is_replaced_unless_asked(command, scan, tmp_path):
    mask = tmp_path / "m.nii.gz"
    command("segment", scan, "-o", mask)
    before = mask.read_bytes()
    status, _, err = command("segment", scan, "-o", mask, "--flip")
    assert status == 2
    assert "already exists" in err
    assert mask.read_bytes() == before
    assert command("segment", scan, "-o", mask, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "none"], "Choose one of: microus-small"),
        (["--device", "gpu"], "no device 'gpu'. Choose auto, cuda"),
        (["--frames", "2-9"], "no frame 3; the last one is 2"),
        (["--frames", "x"], "such as 0-9,12"),
        (["--frames", "3-1"], "runs backwards"),
        (["--batch-size", "0"], "0 frames at a time"),
        (["--threshold", "2"], "The threshold, 2.0, does not"),
        (["--workers", "2"], "is the mask of one. Leave out --workers"),
        (["--dask", "tcp://x:1"], "is the mask of one. Leave out --workers"),
    ],
)
def test_a_wrong_option_is_one_line_and_leaves_nothing(
    command, scan, tmp_path, words, said
):
    status, out, err = command("segment", scan, "-o", tmp_path / "m.nii.gz", *words)
    assert status == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert not list(tmp_path.glob("*m.*"))


def test_a_file_that_is_no_scan_is_one_line(command, tmp_path):
    for name in ("empty.nii.gz", "text.png", "missing.nrrd"):
        path = tmp_path / name
        if name != "missing.nrrd":
            path.write_bytes(b"" if name == "empty.nii.gz" else b"no picture")
        status, _, err = command("segment", path, "-o", tmp_path / "m.nii.gz")
        assert status == 2
        assert name in err
        assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "m.nii.gz").exists()


def test_outputs_that_cannot_be_are_refused_before_any_work(command, scan, tmp_path):
    other = tmp_path / "other.nii.gz"
    other.write_bytes(scan.read_bytes())
    for words, said in (
        ([scan, "-o", scan], "is a scan itself"),
        ([scan, "-o", tmp_path / "m.png"], "End it in one of"),
        ([scan, other, "-o", tmp_path / "m.nii.gz"], "2 scans do not go into one file"),
        ([scan, scan, "-o", tmp_path / "out"], "is named twice"),
        ([scan, "-o", scan / "m.nii.gz"], "Cannot write to"),
    ):
        status, _, err = command("segment", *words)
        assert (status, said in err) == (2, True), err


def test_models_are_listed_and_shown(command):
    assert library.DEFAULT_MODEL in command("models", "list")[1]
    [row] = json.loads(command("models", "list", "--json")[1])
    assert (row["name"], row["version"], row["problem"]) == ("microus-small", "3", "")
    assert "# Tiny" in command("models", "show", "microus-small")[1]
    assert json.loads(command("models", "show", "microus-small", "--json")[1])["card"]


def test_removing_asks_first(command, models):
    status, _, err = command("models", "remove", "microus-small")
    assert (status, "Add --yes" in err) == (2, True)
    assert models.exists()
    assert command("models", "remove", "microus-small", "--yes")[0] == 0
    assert not models.exists()


def test_fetching_something_unknown_names_what_there_is(command):
    status, _, err = command("models", "fetch", "imagenet1k")
    assert status == 2
    assert "imagenet21k" in err


def test_a_foreign_checkpoint_is_not_imported(command, tmp_path):
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "foreign.pth")
    status, _, err = command("models", "import", tmp_path / "foreign.pth")
    assert status == 2
    assert "missing" in err
    assert "unexpected conv.weight" in err
    assert [m.name for m in library.list_models()] == ["microus-small"]


def test_frames_of_low_confidence_are_reported_and_written(command, scan, tmp_path):
    status, out, _ = command("segment", scan, "-o", tmp_path / "mask.nii.gz")
    assert status == 0
    made = json.loads((tmp_path / "mask.json").read_text(encoding="utf-8"))
    stated = made["confidence"]
    assert list(stated["frames"]) == ["0", "1", "2"]
    assert all(0 <= value <= 1 for value in stated["frames"].values())
    low = [int(z) for z, value in stated["frames"].items() if value < DOUBTFUL]
    assert sorted(stated["look_first"]) == low
    assert ("Look at these frames first" in out) is bool(low)
