import json

import numpy as np
import pytest
from skimage.io import imsave

from napari_microus.core.io import read_volume

FRAMES = np.random.default_rng(2).integers(0, 255, (5, 12, 16), np.uint8)


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "sweep"
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        imsave(folder / f"{number}.png", frame, check_contrast=False)
    return folder


def test_sizes_are_set_shown_and_added_to(run_command, frames, capsys):
    assert run_command("scan", "show", frames) == 0
    assert "pixel size: unknown" in capsys.readouterr().out
    assert run_command("scan", "set", frames, "--pixel-mm", "0.05x0.04") == 0
    assert run_command("scan", "set", frames, "--frame-distance-mm", "0.8") == 0
    assert run_command("scan", "show", frames) == 0

    out = capsys.readouterr().out
    assert "pixel size: 0.05 × 0.04 mm" in out
    assert "frame distance: 0.8 mm" in out
    assert read_volume(frames).spacing_mm == pytest.approx((0.8, 0.05, 0.04))


def test_a_rotational_sweep_is_reported_by_its_axis_and_ends(run_command, frames):
    line = ["--pixel-mm", "0.05", "--sweep", "rotational", "--axis-along", "columns"]
    line += ["--axis-at-mm", "-9.5", "--angles-deg", "-60:60"]
    assert run_command("scan", "set", frames, *line) == 0

    stated = json.loads((frames / "scan.json").read_text(encoding="utf-8"))["sweep"]
    assert stated["axis"] == {"along": "columns", "at_mm": -9.5}
    assert stated["angles_deg"] == [-60, -30, 0, 30, 60]
    assert run_command("scan", "set", frames, "--angles-deg", "0,10,20,30,50") == 0
    stated = json.loads((frames / "scan.json").read_text(encoding="utf-8"))["sweep"]
    assert stated["angles_deg"] == [0, 10, 20, 30, 50]


def test_a_name_in_the_picture_is_blanked_out_wherever_the_scan_is_read(
    run_command, frames, capsys
):
    line = ["--blank", "0:3,4:16", "--blank", "10:12,0:2"]
    assert run_command("scan", "set", frames, *line) == 0

    for again in (read_volume(frames), read_volume(sorted(frames.glob("*.png")))):
        assert not again.array[:, :3, 4:].any()
        assert not again.array[:, 10:, :2].any()
        kept = np.ones(FRAMES.shape, bool)
        kept[:, :3, 4:] = kept[:, 10:, :2] = False
        np.testing.assert_array_equal(again.array[kept], FRAMES[kept])
    assert run_command("scan", "show", frames) == 0
    assert "2 parts of the picture blanked out" in capsys.readouterr().out
    assert run_command("scan", "set", frames, "--blank", "none") == 0
    np.testing.assert_array_equal(read_volume(frames).array, FRAMES)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--blank", "0:3"], "Write rows and columns in pixels, as 0:40,10:200"),
        (["--blank", "3:3,0:4"], "Rows 3:3 and columns 0:4 hold no pixel"),
        (["--blank", "0:3,0:17"], "not inside the picture of 12 × 16 pixels"),
        (["--pixel-mm", "0"], "'0' is no pixel size"),
        (["--pixel-mm", "50"], "cannot be right. Give its height and width"),
        (["--frame-distance-mm", "far"], "'far' is no distance of frames"),
        (
            ["--sweep", "rotational"],
            "The axis or the angles of the rotational sweep are missing",
        ),
        (["--sweep", "helical"], "no kind of sweep 'helical'. Choose one of parallel"),
        (["--angles-deg", "a:b"], "is no list of angles"),
        (["--orientation", "left"], "superior or inferior, each once"),
        (
            ["--axis-along", "rows", "--axis-at-mm", "0", "--angles-deg", "1,2"],
            "2 angles were stated, and the scan has 5 frames",
        ),
    ],
)
def test_what_cannot_be_ends_with_a_sentence_and_writes_nothing(
    run_command, frames, capsys, line, words
):
    assert run_command("scan", "set", frames, *line) == 2
    assert words in capsys.readouterr().err
    assert not (frames / "scan.json").exists()


def test_what_was_stated_can_be_forgotten(run_command, frames):
    run_command("scan", "set", frames, "--pixel-mm", "0.05")
    assert run_command("scan", "set", frames, "--clear") == 0
    assert not (frames / "scan.json").exists()
