import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_microus.core.compare import Adjudication, disputed_regions
from napari_microus.core.compare.adjudication.document import (
    Origin,
    to_document,
)
from napari_microus.core.compare.adjudication.journal import (
    journal_path,
    write_journal,
)
from napari_microus.core.compare.adjudication.resuming import (
    check_resumes,
    has_unsaved,
)
from napari_microus.core.compare.adjudication.sidecar import (
    save_adjudication,
)
from napari_microus.core.compare.case_progress import (
    Share,
    adjudicators,
    drawn_by,
    matching,
)
from napari_microus.core.compare.case_volumes import read_case
from napari_microus.core.compare.remembered import Remembered, recall, remember
from napari_microus.core.compare.work_list import (
    CaseState,
    annotators,
    next_open,
    work_list,
)
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import drain
from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.study import Study, StudyCase
from napari_microus.core.volume import Volume

GRID = Volume(np.zeros((2, 20, 24), np.uint8), np.diag([0.1, 0.1, 1.0, 1.0]))


def drawn(first_column):
    array = np.zeros(GRID.shape, np.uint8)
    array[:, 5:15, first_column : first_column + 8] = 1
    array[1, 15:18, 2:5] = first_column % 2  # a second region, on odd columns
    return array


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(Volume(array, GRID.affine), path, overwrite=True)


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


def test_damaged_sidecar_is_reported_and_not_taken_for_open(folder):
    adjudicate(folder / "adjudicated" / "2.nii.gz", 1)
    sidecar = folder / "adjudicated" / "2.json"
    sidecar.write_text(sidecar.read_text(encoding="utf-8")[:40], encoding="utf-8")
    case = work_list(folder)[0]
    assert case.state is CaseState.DAMAGED
    assert "is damaged, or no record of decisions" in case.problem


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


def test_folder_that_cannot_be_read_is_reported(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"must be readable; got .*Permission denied"):
        work_list(folder)


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


# --- who decided, and what is looked for


def rewrite(path, change):
    """Change a sidecar as a later version, or damage, would."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def shared(folder):
    """Case 2 decided by AB and CD, case 10 begun by AB."""
    total = adjudicate(folder / "adjudicated" / "2.nii.gz", 99)
    adjudicate(folder / "adjudicated" / "10.nii.gz", 1)

    def name(document):
        for number, region in enumerate(document["regions"]):
            if region["decision"]:
                region["who"] = "CD" if number else "AB"

    for case in ("2", "10"):
        rewrite(folder / "adjudicated" / f"{case}.json", name)
    return folder, total


def test_progress_is_counted_for_each_adjudicator(shared):
    folder, total = shared
    cases = work_list(folder)
    assert cases[0].decided_by == {"AB": 1, "CD": total - 1}
    shares = {share.who: share for share in adjudicators(cases)}
    assert shares == {"AB": Share("AB", 2, 2), "CD": Share("CD", 1, total - 1)}


def test_drawn_cases_are_counted_for_each_annotator(folder):
    assert drawn_by(work_list(folder)) == {"expert": 2, "student": 3}


def test_cases_are_found_by_state_name_and_who(shared):
    cases = work_list(shared[0])

    def names(**wanted):
        return [case.case for case in matching(cases, **wanted)]

    assert names() == ["2", "9", "10"]
    assert names(state=CaseState.STARTED) == ["10"]
    assert names(name="1") == ["10"]
    assert names(who="CD") == ["2"]
    assert names(who="AB", state=CaseState.DONE) == ["2"]


def test_regions_of_a_later_version_are_counted(folder):
    adjudicate(folder / "adjudicated" / "2.nii.gz", 1)
    sidecar = folder / "adjudicated" / "2.json"

    def change(document):
        for region in document["regions"]:
            region.pop("who")
            region["sure"] = True
        document["regions"][-1].pop("decision", None)

    rewrite(sidecar, change)
    case = work_list(folder)[0]
    assert (case.decided, case.decided_by) == (1, {"": 1})


@pytest.mark.parametrize("regions", [None, 3, ["x"]])
def test_sidecar_without_regions_is_damaged(folder, regions):
    adjudicate(folder / "adjudicated" / "2.nii.gz", 1)
    rewrite(folder / "adjudicated" / "2.json", lambda d: d.update(regions=regions))
    case = work_list(folder)[0]
    assert case.state is CaseState.DAMAGED
    assert "lists no regions" in case.problem


# --- reading


def test_folder_case_is_read_on_the_scans_grid(folder):
    volumes = drain(read_case(work_list(folder)[0], "expert", "student"))
    assert volumes.scan.shares_grid(volumes.expert)
    np.testing.assert_array_equal(volumes.expert.array, drawn(4))
    np.testing.assert_array_equal(volumes.nonexpert.array, drawn(5))


def test_masks_without_a_scan_lie_on_the_experts_grid(folder):
    shutil.rmtree(folder / "images")
    volumes = drain(read_case(work_list(folder)[0], "expert", "student"))
    assert volumes.scan is None
    assert volumes.nonexpert.shares_grid(volumes.expert)


def test_pictures_have_the_pixel_size_that_the_study_states(tmp_path):
    for name, array in (("s", GRID.array), ("e", drawn(4)), ("n", drawn(5))):
        picture = array[0] * (255 if name != "s" else 1)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    study = Study.create(tmp_path)
    study.add(StudyCase("p1", "p1", "s.png", "e.png", "n.png", spacing_mm=(0.1, 0.2)))
    (case,) = work_list(tmp_path)
    assert case.spacing_mm == (0.1, 0.2)
    volumes = drain(read_case(case, "expert", "nonexpert"))
    for volume in (volumes.scan, volumes.expert, volumes.nonexpert):
        assert volume.has_geometry
        assert volume.spacing_mm == pytest.approx((1, 0.1, 0.2))
    assert volumes.expert.array.flags.writeable


def test_missing_annotation_or_file_or_another_grid_is_reported(folder):
    cases = work_list(folder)
    with pytest.raises(InputError, match=r"got 'student' for case '9', not 'expert'"):
        drain(read_case(cases[1], "expert", "student"))
    cases[0].scan.unlink()
    with pytest.raises(InputError, match=r"Case '2': .*scan_2\.nii\.gz"):
        drain(read_case(cases[0], "expert", "student"))
    write(folder / "student" / "s10.nii.gz", drawn(5)[:, :-1])
    with pytest.raises(InputError, match=r"Case '10' .*must share a grid"):
        drain(read_case(cases[2], "expert", "student"))


# --- continuing from what was saved


NAMES = ("2 expert", "2 student")


def adjudication(decisions=0):
    codes = disagreement_map(drawn(4), drawn(5))
    work = Adjudication(codes, drain(disputed_regions(codes, GRID.spacing_mm)))
    for region in work.regions[:decisions]:
        work.decide(region, "expert")
    return work


def test_only_what_continues_from_the_saved_decisions_may_replace_them(tmp_path):
    path, work = tmp_path / "2.nii.gz", adjudication(1)
    assert check_resumes(work, path, NAMES) is False  # nothing is there
    save_adjudication(work, Origin(*NAMES), GRID, path)
    work.decide(work.regions[1], "nonexpert")
    assert check_resumes(work, path, NAMES)
    with pytest.raises(OutputError, match="no decisions that were not loaded"):
        check_resumes(adjudication(0), path, NAMES)
    (tmp_path / "2.json").write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match="damaged adjudication must be kept"):
        check_resumes(work, path, NAMES)


def test_journal_is_unsaved_until_the_sidecar_holds_its_decisions(tmp_path):
    masks, path = (GRID.like(drawn(4)), GRID.like(drawn(5))), tmp_path / "2.nii.gz"
    journals, work = tmp_path / "journals", adjudication(1)
    assert not has_unsaved(*masks, path, journals)
    journal = journal_path(work.digest, GRID.shape, GRID.spacing_mm, journals)
    write_journal(to_document(work, Origin()), journal)
    assert has_unsaved(*masks, path, journals)
    save_adjudication(work, Origin(), GRID, path)
    assert not has_unsaved(*masks, path, journals)
    work.decide(work.regions[1], "expert")
    write_journal(to_document(work, Origin()), journal)
    assert has_unsaved(*masks, path, journals)


def test_last_work_list_is_remembered_and_damage_forgets_it(tmp_path):
    journals = tmp_path / "journals"
    assert recall(journals) == Remembered()
    remember(Remembered("/a", "expert", "student"), journals)
    assert recall(journals) == Remembered("/a", "expert", "student")
    (tmp_path / "work_list.json").write_text("[1]", encoding="utf-8")
    assert recall(journals) == Remembered()
