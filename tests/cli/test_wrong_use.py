"""What a person gets who names something wrong: one plain sentence, and status 2."""

import shutil

import numpy as np
import pytest
import yaml

from napari_microus.core import library
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume

LONG = f"{'ä' * 200}.nii.gz"  # 400 bytes, and a name may have 255


@pytest.fixture
def here(small_scan, tmp_path):
    """A folder with a scan, a mask, and what is none; names are taken from it."""
    scan = read_volume(small_scan)
    mask = np.zeros(scan.shape, np.uint8)
    mask[:, 10:30, 15:45] = 1
    write_mask(scan.like(mask), tmp_path / "mask.nii.gz")
    (tmp_path / "letter.txt").write_text("Dear colleague")
    (tmp_path / "letter.nii").write_text("Dear colleague" * 60)
    (tmp_path / "wrong.yaml").write_text("epochs: 3\nseed: [1,\n}")
    (tmp_path / "typo.yaml").write_text("optimizer:\n  learning_rat: 0.1\n")
    (tmp_path / "few.yaml").write_text("epochs: 0\n")
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "models" / library.DEFAULT_MODEL, other)
    config = yaml.safe_load((other / "config.yaml").read_text(encoding="utf-8"))
    config["options"]["of_tomorrow"] = 1
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f"segment scan.nii.gz -o {LONG}",
            "(File name too long). Choose another name or folder.",
        ),
        (f"segment {LONG} -o out", "cannot be used (File name too long). Check the n"),
        ("segment letter.nii -o a.nii.gz", "Cannot read letter.nii: not a NIfTI file"),
        (
            "segment scan.nii.gz -o letter.txt/a.nii.gz",
            "a.nii.gz (File exists). Choose another name or folder.",
        ),
        (
            "segment scan.nii.gz -o a.nii.gz --model other",
            "This model was made by another version of this program",
        ),
        (
            "teach scan.nii.gz mask.nii.gz -o a.docx --frames 0",
            "a.docx is to be is not clear from its name.",
        ),
        (
            "compare mask.nii.gz mask.nii.gz --scan letter.txt",
            "--scan lies under the pictures of --panels, and that is missing.",
        ),
        ("evaluate mask.nii.gz models", "Name files alone, or folders alone."),
        ("scan set scan.nii.gz", "Nothing to set is named."),
        (
            "train --preset wrong.yaml -o run",
            "wrong.yaml are no YAML (line 3: expected the node content, but found '}')",
        ),
        (
            "train --preset typo.yaml -o run",
            "There is no setting 'optimizer.learning_rat'. Did you mean 'learning_",
        ),
        ("train --preset few.yaml -o run", "epochs is 0, and has to be at least 1."),
    ],
)
def test_one_plain_sentence_says_what_is_wrong(
    here, run_command, monkeypatch, capsys, line, said
):
    monkeypatch.chdir(here)
    before = sorted(path.name for path in here.rglob("*"))
    words = line.replace(" other", f" {here / 'other'}").split()

    assert run_command(*words) == 2

    shown = capsys.readouterr().err
    assert shown.count("napari-microus: ") == 1
    assert said in shown
    assert " must " not in shown
    assert sorted(path.name for path in here.rglob("*")) == before


def test_a_pixel_of_a_kilometre_is_doubted(here, run_command, capsys):
    far = Volume.from_spacing(np.eye(20, dtype=np.uint8)[None], (1.0, 1e6, 1e6))
    write_volume(far, here / "far.nii.gz")

    assert run_command("scan", "show", here / "far.nii.gz") == 0

    shown = capsys.readouterr().out
    assert "1 frame of 20 × 20 pixels" in shown
    assert "pixels of 1e+06 × 1e+06 mm, which cannot be right. Set the pix" in shown
    assert run_command("scan", "set", here / "far.nii.gz", "--pixel-mm", "0.1") == 0
    assert "cannot be right" not in capsys.readouterr().out
