import json

import nibabel as nib
import numpy as np
import pytest

from drained import drained
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Finished, Progress
from napari_microus.core.phantom import make_phantom
from napari_microus.core.phantom.files import write_case, write_phantoms

SMALL = {"frames": 3, "shape": (48, 64)}


def test_cases_come_back_from_disk_as_they_were_made(tmp_path):
    folders, _ = drained(write_phantoms(tmp_path, seed=5, count=2, **SMALL))

    assert [folder.name for folder in folders] == ["phantom_0005", "phantom_0006"]
    case = make_phantom(6, **SMALL)
    for part in ("scan", "expert", "nonexpert"):
        image = nib.load(folders[1] / f"{part}.nii.gz")
        volume = getattr(case, part)
        # NIfTI is (x, y, z).
        stored = np.asarray(image.dataobj).transpose(2, 1, 0)
        np.testing.assert_array_equal(stored, volume.array)
        np.testing.assert_allclose(image.affine, volume.affine, rtol=1e-6)


def test_a_file_beside_the_scan_says_that_it_is_synthetic(tmp_path):
    write_case(make_phantom(5, **SMALL), tmp_path)
    stated = (tmp_path / "scan.json").read_text(encoding="utf-8")
    assert '"synthetic": true' in stated
    assert json.loads(stated)


def test_progress_ends_with_the_folders(tmp_path):
    folders, events = drained(write_phantoms(tmp_path, count=2, **SMALL))
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == [0, 1, 2]
    assert events[-1] == Finished({"folders": [str(folder) for folder in folders]})


def test_all_styles_follow_one_another(tmp_path):
    folders, _ = drained(write_phantoms(tmp_path, count=3, style="all", **SMALL))
    generous = make_phantom(1, annotator_style="generous", **SMALL)
    stored = np.asarray(nib.load(folders[1] / "nonexpert.nii.gz").dataobj)
    np.testing.assert_array_equal(stored.transpose(2, 1, 0), generous.nonexpert.array)


def test_existing_files_are_kept_unless_asked(tmp_path):
    drained(write_phantoms(tmp_path, **SMALL))
    with pytest.raises(OutputError, match="already exists"):
        drained(write_phantoms(tmp_path, **SMALL))
    drained(write_phantoms(tmp_path, overwrite=True, **SMALL))


def test_existing_file_of_a_later_case_stops_before_the_first_is_made(tmp_path):
    (tmp_path / "phantom_0001").mkdir()
    (tmp_path / "phantom_0001" / "expert.nii.gz").touch()
    with pytest.raises(OutputError):
        drained(write_phantoms(tmp_path, count=2, **SMALL))
    assert not (tmp_path / "phantom_0000").exists()


def test_count_must_be_positive(tmp_path):
    with pytest.raises(InputError, match="at least 1; got 0"):
        drained(write_phantoms(tmp_path, count=0, **SMALL))


def test_unknown_style_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match="one of cautious"):
        drained(write_phantoms(tmp_path / "out", style="lazy", **SMALL))
    assert not (tmp_path / "out").exists()
