import json

import numpy as np
import pytest

from napari_microus.core.compare import Adjudication, disputed_regions
from napari_microus.core.compare.adjudication.sidecar import Origin, save_adjudication
from napari_microus.core.compare.work_list import (
    CaseState,
    annotators,
    next_open,
    work_list,
)
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume

GRID = Volume(np.zeros((2, 20, 24), np.uint8), np.diag([0.1, 0.1, 1.0, 1.0]))


def drawn(first_column):
    array = np.zeros(GRID.shape, np.uint8)
    array[:, 5:15, first_column : first_column + 8] = 1
    array[1, 15:18, 2:5] = first_column % 2  # a second region, on odd columns
    return array


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(GRID.like(array), path)


def adjudicate(path, decisions):
    """Save an adjudication of the two masks with the first regions decided."""
    codes = disagreement_map(drawn(4), drawn(5))
    regions = disputed_regions(codes, GRID.spacing_mm)
    work = Adjudication(codes, drain(regions))
    for region in work.regions[:decisions]:
        work.decide(region, "expert")
    path.parent.mkdir(exist_ok=True)
    save_adjudication(work, Origin(), GRID, path, overwrite=True)
    return len(work.regions)


@pytest.fixture
def folder(tmp_path):
    for number in (2, 9, 10):
        (tmp_path / "images").mkdir(exist_ok=True)
        write_volume(GRID, tmp_path / "images" / f"scan_{number}.nii.gz")
        write(tmp_path / "student" / f"s{number:02d}.nii.gz", drawn(5))
        if number != 9:
            write(tmp_path / "expert" / f"e{number}.nii.gz", drawn(4))
    return tmp_path


def test_folder_lists_cases_by_number_and_says_who_has_drawn(folder):
    cases = work_list(folder)
    assert [case.case for case in cases] == ["2", "9", "10"]
    assert annotators(cases) == ["expert", "student"]
    assert list(cases[0].masks) == ["expert", "student"]
    assert list(cases[1].masks) == ["student"]
    assert [case.state for case in cases] == ["open", "waiting", "open"]
    assert cases[2].scan == folder / "images" / "scan_10.nii.gz"
    assert cases[2].result == folder / "adjudicated" / "10.nii.gz"


def test_state_follows_the_sidecar(folder):
    total = adjudicate(folder / "adjudicated" / "2.nii.gz", 1)
    case = work_list(folder)[0]
    assert (case.state, case.decided, case.regions) == ("started", 1, total)
    adjudicate(folder / "adjudicated" / "2.nii.gz", total)
    assert work_list(folder)[0].state is CaseState.DONE


def test_damaged_sidecar_is_told_and_not_taken_for_open(folder):
    adjudicate(folder / "adjudicated" / "2.nii.gz", 1)
    sidecar = folder / "adjudicated" / "2.json"
    sidecar.write_text(sidecar.read_text(encoding="utf-8")[:40], encoding="utf-8")
    case = work_list(folder)[0]
    assert case.state is CaseState.DAMAGED
    assert "must be JSON" in case.problem


def test_next_open_goes_round_and_ends(folder):
    cases = work_list(folder)
    assert next_open(cases).case == "2"
    assert next_open(cases, after="2").case == "10"
    assert next_open(cases, after="10").case == "2"
    for name in ("2", "10"):
        adjudicate(folder / "adjudicated" / f"{name}.nii.gz", 99)
    assert next_open(work_list(folder)) is None


def test_study_lists_its_cases_and_further_annotators(tmp_path, folder):
    study = Study.create(tmp_path / "study")
    case = study.add_case("p1a", "p1", GRID, GRID.like(drawn(4)), GRID.like(drawn(5)))
    study.save()
    listed = work_list(tmp_path / "study")
    assert [c.case for c in listed] == ["p1a"]
    assert listed[0].masks["expert"] == study.path(case.expert)
    assert listed[0].state is CaseState.OPEN


@pytest.mark.parametrize("made", [[], ["expert"]])
def test_folder_without_two_annotators_is_refused(tmp_path, made):
    for name in made:
        write(tmp_path / name / "1.nii.gz", drawn(4))
    with pytest.raises(InputError, match="each of two annotators"):
        work_list(tmp_path)


def test_two_files_of_one_case_are_refused(folder):
    write(folder / "expert" / "again_2.nii.gz", drawn(4))
    with pytest.raises(InputError, match=r"again_2\.nii\.gz, e2\.nii\.gz"):
        work_list(folder)


def test_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({}))
    with pytest.raises(InputError, match="must be a folder"):
        work_list(tmp_path / "x.json")
