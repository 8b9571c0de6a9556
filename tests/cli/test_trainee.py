import numpy as np
import pytest

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.io import write_mask
from napari_microus.core.volume import Volume


def run(*arguments):
    app([str(a) for a in arguments], standalone_mode=False)


def write(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros((2, 30, 40), np.uint8)
    array[:, 10:20, slice(*columns)] = 1
    write_mask(Volume.from_spacing(array, (1.0, 0.5, 0.5)), path)


@pytest.fixture
def folders(tmp_path):
    for number in range(1, 7):
        write(tmp_path / "gold" / f"gold_{number}.nii.gz", (10, 20))
        write(
            tmp_path / "ann" / f"ann_2026-01-0{number}_case_{number}.nii.gz",
            (10, 21 + number),
        )
    write(tmp_path / "ann" / "x_3_repeat.nii.gz", (10, 22))
    return tmp_path / "gold", tmp_path / "ann"


def test_the_report_holds_controls_repeats_and_the_tolerance(folders, tmp_path, capsys):
    listed = tmp_path / "known.txt"
    listed.write_text("2\n")
    page = tmp_path / "report.html"
    run(
        *("trainee", *folders, "--output", page, "--progress", "none"),
        *("--controls", listed, "--tolerance-mm", 2, "--name", "Ann <1>"),
        *("--worst-frames", 1),
    )
    assert f"{page}  6 cases" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "Ann &lt;1&gt; draws" in text
    assert "Control cases" in text
    assert "drew 1 case twice" in text
    assert "Surface Dice (2 mm)" in text
    assert text.count("<figure>") == 1


def test_an_existing_report_is_kept(folders, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        run("trainee", *folders, "-o", page, "--progress", "none")
    assert page.read_text(encoding="utf-8") == "mine"
    run("trainee", *folders, "-o", page, "--progress", "none", "--overwrite")
    text = page.read_text(encoding="utf-8")
    assert "ann draws" in text
    assert "Control cases" not in text


def test_a_missing_list_of_controls_is_refused(folders, tmp_path):
    with pytest.raises(InputError, match="list of control cases must be a text file"):
        run(
            *("trainee", *folders, "-o", tmp_path / "r.html", "--progress", "none"),
            *("--controls", tmp_path / "missing.txt"),
        )
