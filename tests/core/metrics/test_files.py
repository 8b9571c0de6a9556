import csv
import json
import math
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from PIL import Image

from drained import drained as drain
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Finished, Notice, Progress
from napari_microus.core.io import read_mask, write_mask
from napari_microus.core.metrics import evaluate_case
from napari_microus.core.metrics.files import (
    check_table,
    evaluate_files,
    write_table,
)
from napari_microus.core.volume import Volume

SPACING = (2.0, 0.5, 0.25)


def masks(seed=0):
    rng = np.random.default_rng(seed)
    found = np.zeros((2, 3, 12, 14), np.uint8)
    for mask in found:
        top, left = rng.integers(1, 4, 2)
        mask[:, top : top + 6, left : left + 7] = 1
    return found


def save(array, path):
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.T, np.diag([0.25, 0.5, 2.0, 1])), path)


@pytest.fixture
def folders(tmp_path):
    for number in (1, 2, 10):
        prediction, reference = masks(number)
        save(prediction, tmp_path / "ours" / f"capsule_{number:02d}.nii.gz")
        save(reference, tmp_path / "expert" / f"expert_annotation_{number}.nii.gz")
    return tmp_path / "ours", tmp_path / "expert"


def test_two_files_are_one_case(tmp_path):
    prediction, reference = masks()
    save(prediction, tmp_path / "a.nii.gz")
    save(reference, tmp_path / "b.nii.gz")
    evaluation, events = drain(
        evaluate_files(tmp_path / "a.nii.gz", tmp_path / "b.nii.gz")
    )
    (scores,) = evaluation.cases.values()
    assert scores == evaluate_case(prediction, reference, SPACING)
    assert evaluation.mean == scores.mean
    assert isinstance(events[-1], Finished)
    assert events[-1].result == evaluation.to_dict()


def test_folders_are_paired_by_number(folders):
    save(masks()[0], folders[0] / "capsule_77.nii.gz")
    evaluation, events = drain(evaluate_files(*folders))
    assert list(evaluation.cases) == ["1", "2", "10"]
    expected = np.mean([case.mean.dice for case in evaluation.cases.values()])
    assert evaluation.mean.dice == pytest.approx(expected)
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "capsule_77.nii.gz" in notice.message
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == [1, 2, 3]


def test_pictures_are_measured_in_pixels_and_only_within_frames(tmp_path):
    prediction, reference = masks()[:, 0]
    Image.fromarray(prediction * 255).save(tmp_path / "a.png")
    Image.fromarray(reference * 255).save(tmp_path / "b.png")
    evaluation, events = drain(evaluate_files(tmp_path / "a.png", tmp_path / "b.png"))
    assert not evaluation.has_geometry
    expected = evaluate_case(prediction, reference, 1).mean
    assert evaluation.mean == expected
    assert math.isnan(evaluation.volume_mean.hd95_mm)
    assert evaluation.volume_mean.dice == expected.dice
    assert any("in pixels" in e.message for e in events if isinstance(e, Notice))


@pytest.mark.parametrize("both", [True, False])
def test_lengths_across_frames_need_their_distance(folders, both):
    ours, expert = folders
    for folder in (ours, expert) if both else (ours,):
        name = next(folder.glob("*_1.nii.gz" if folder == expert else "*_01.nii.gz"))
        mask = read_mask(name)
        unknown = {"frame_distance": "unknown"}
        write_mask(replace(mask, metadata=unknown), name, overwrite=True)
    evaluation, events = drain(evaluate_files(ours, expert))

    first, *others = evaluation.cases.values()
    assert math.isnan(first.volume.hd95_mm)
    assert math.isnan(first.volume.assd_mm)
    assert first.volume.dice > 0
    assert first.mean.hd95_mm > 0
    assert first.to_dict()["spacing_mm"] == [None, 0.5, 0.25]
    assert all(case.volume.hd95_mm > 0 for case in others)
    stated = [event.message for event in events if isinstance(event, Notice)]
    assert any("is unknown in 1 of 3 cases" in sentence for sentence in stated)


def test_a_picture_is_measured_on_the_scans_grid(tmp_path):
    prediction, reference = masks()[:, :1]
    save(prediction, tmp_path / "a.nii.gz")
    Image.fromarray(reference[0] * 255).save(tmp_path / "b.png")
    evaluation, _ = drain(evaluate_files(tmp_path / "a.nii.gz", tmp_path / "b.png"))
    assert evaluation.has_geometry
    expected = evaluate_case(prediction, reference, SPACING).mean
    assert evaluation.mean == expected


def test_one_label_of_several(tmp_path):
    prediction, reference = masks()
    several = 2 * reference
    several[:, 0] = 1
    save(2 * prediction, tmp_path / "a.nii.gz")
    save(several, tmp_path / "b.nii.gz")
    paths = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    evaluation, _ = drain(evaluate_files(*paths, label=2))
    assert evaluation.mean == evaluate_case(prediction, reference, SPACING).mean
    with pytest.raises(InputError, match="one object; got labels"):
        drain(evaluate_files(*paths))


def test_csv_has_a_row_per_frame_mean_and_volume(folders, tmp_path):
    evaluation, _ = drain(evaluate_files(*folders))
    write_table(evaluation, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["frame"] for row in rows[:5]] == ["0", "1", "2", "mean", "volume"]
    assert len(rows) == 3 * 5 + 2
    first = evaluation.cases["1"]
    assert float(rows[3]["hd95_mm"]) == first.mean.hd95_mm
    assert float(rows[4]["dice"]) == first.volume.dice
    assert rows[-2]["case"] == "all"


def test_json_is_the_whole_evaluation(folders, tmp_path):
    evaluation, _ = drain(evaluate_files(*folders))
    write_table(evaluation, tmp_path / "t.json")
    assert (
        json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
        == evaluation.to_dict()
    )


def test_tables_are_not_replaced_unasked(folders, tmp_path):
    evaluation, _ = drain(evaluate_files(*folders))
    path = tmp_path / "t.json"
    path.write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        write_table(evaluation, path)
    assert path.read_text(encoding="utf-8") == "mine"
    write_table(evaluation, path, overwrite=True)
    assert path.read_text(encoding="utf-8") != "mine"
    with pytest.raises(OutputError, match=r"must end in \.csv or \.json; got"):
        write_table(evaluation, tmp_path / "t.xlsx")


def test_bad_pairs_are_named(folders, tmp_path):
    save(masks()[0], tmp_path / "other" / "x_5.nii.gz")
    with pytest.raises(InputError, match="masks of the same cases; got none"):
        drain(evaluate_files(folders[0], tmp_path / "other"))
    save(masks()[0][:, 1:], tmp_path / "other" / "x_5.nii.gz")
    with pytest.raises(InputError, match="share a grid"):
        drain(
            evaluate_files(
                folders[0] / "capsule_01.nii.gz", tmp_path / "other" / "x_5.nii.gz"
            )
        )


def test_a_table_is_refused_before_the_work_begins(tmp_path):
    path = tmp_path / "t.csv"
    check_table(path)
    path.write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        check_table(path)
    check_table(path, overwrite=True)


def test_a_missed_case_counts_as_nothing_found(tmp_path):
    prediction, reference = masks()
    for name, mask in (("1", prediction), ("2", np.zeros_like(prediction))):
        save(mask, tmp_path / "ours" / f"capsule_{name}.nii.gz")
        save(reference, tmp_path / "expert" / f"expert_{name}.nii.gz")
    evaluation, _ = drain(evaluate_files(tmp_path / "ours", tmp_path / "expert"))
    found = evaluate_case(prediction, reference, SPACING).mean
    for name in ("dice", "jaccard", "sensitivity"):
        assert getattr(evaluation.mean, name) == getattr(found, name) / 2
    # There is no distance to what is not there.
    assert evaluation.mean.hd95_mm == found.hd95_mm


@pytest.mark.parametrize("who", [0, 1])
def test_an_object_that_is_wholly_undecided_is_reported(tmp_path, who):
    pair = list(masks())
    pair[who] = pair[who] * 255
    for mask, name in zip(pair, "ab", strict=True):
        grid = np.diag([-0.25, -0.5, 2.0, 1.0])
        write_mask(Volume(mask, grid), tmp_path / f"{name}.nii.gz")
    paths = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    _, events = drain(evaluate_files(*paths))
    (stated,) = (event.message for event in events if isinstance(event, Notice))
    assert stated.startswith(f"{'ab'[who]}.nii.gz: all of the object is undecided")


def test_an_object_that_is_partly_undecided_is_measured_in_silence(tmp_path):
    pair = list(masks())
    pair[0][:, 5] = 255
    for mask, name in zip(pair, "ab", strict=True):
        save(mask, tmp_path / f"{name}.nii.gz")
    paths = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    evaluation, events = drain(evaluate_files(*paths))
    assert not [event for event in events if isinstance(event, Notice)]
    assert evaluation.mean == evaluate_case(*pair, SPACING).mean
