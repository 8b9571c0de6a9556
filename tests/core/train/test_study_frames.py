from dataclasses import replace

import numpy as np
import pytest

from drained import drained
from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice
from napari_microus.core.train import DataConfig
from napari_microus.core.train.study_frames import prepare_study


@pytest.fixture
def prepare(tmp_path):
    def run(study, size=32, **settings):
        config = DataConfig(
            study=str(study.folder), cache=str(tmp_path / "cache"), **settings
        )
        frames, events = drained(prepare_study(config, size))
        return events, frames

    return run


def test_frames_are_prepared_once_and_anew_when_a_mask_changes(
    study_of, prepare, case_of
):
    from napari_microus.core.io import write_mask

    study = study_of(5)
    first_events, first = prepare(study)
    again_events, _ = prepare(study)
    assert len(first.frames) == 8  # four of five patients, two frames each
    assert len(again_events) < len(first_events)

    changed = next(c for c in study.cases if c.case in first.frames.cases)
    empty = case_of(0)[1]
    empty = empty.like(np.zeros_like(empty.array))
    write_mask(empty, study.folder / changed.expert, overwrite=True)
    _, second = prepare(study)
    assert second.frames.expert.sum() < first.frames.expert.sum()


def test_without_a_second_annotator_the_expert_stands_in(study_of, prepare):
    events, data = prepare(study_of(3, nonexpert=False))
    np.testing.assert_array_equal(data.frames.expert, data.frames.nonexpert)
    said = [e.message for e in events if isinstance(e, Notice)]
    assert any("no non-expert mask" in message for message in said)


def test_ignored_pixels_stay_ignored(study_of, prepare, case_of):
    study = study_of(0)
    scan, expert, _ = case_of(4)
    marked = expert.array.copy()
    marked[:, :10] = 255
    study.add_case("marked", "p8", scan, scan.like(marked), split="train")
    study.add_case("other", "p9", *case_of(9), split="val")
    _, data = prepare(study, size=40)
    part = data.frames.expert
    assert (part[:, :9] == 255).all()
    assert set(np.unique(part)) == {0, 1, 255}


def test_frames_of_several_sizes_meet_at_the_network_size(study_of, prepare, case_of):
    study = study_of(2)
    study.add_case("large", "p9", *case_of(9, shape=(64, 80)))
    _, data = prepare(study, size=32)
    assert data.frames.frames.shape[1:] == (32, 32)


def test_a_study_whose_masks_are_all_empty_is_refused(study_of, prepare, case_of):
    study = study_of(0)
    for number in range(3):
        scan, expert, _ = case_of(number)
        study.add_case(f"c{number}", f"p{number}", scan, scan.like(expert.array * 0))
    with pytest.raises(InputError, match="must show a capsule"):
        prepare(study)


def test_no_masks_at_all_is_refused(study_of, prepare):
    study = study_of(2)
    study.cases = [replace(case, expert="") for case in study.cases]
    study.save()
    with pytest.raises(InputError, match="cases with an expert mask"):
        prepare(study)


def test_a_broken_scan_is_named(study_of, prepare, case_of):
    study = study_of(1)
    scan, expert, _ = case_of(1)
    broken = replace(scan, array=np.full(scan.shape, np.nan, np.float32))
    study.add_case("broken", "p1", broken, expert, split="train")
    study.add_case("fine", "p2", *case_of(2), split="val")
    with pytest.raises(InputError, match=r"'broken'.*NaN"):
        prepare(study)


def test_the_card_counts_and_names_nobody(study_of, prepare):
    _, data = prepare(study_of(5))
    text = repr(data.provenance)
    assert "training_patients': 4" in text
    assert "p0" not in text
    assert "case0" not in text


def test_cases_without_a_pixel_size_have_no_distance_in_mm(study_of, prepare, case_of):
    study = study_of(0)
    for number, split in enumerate(("train", "val", "val")):
        scan, expert, nonexpert = case_of(number)
        if number == 1:  # as a PNG is written: one pixel is one
            plain = {"affine": np.diag([-1.0, -1.0, 1.0, 1.0]), "has_geometry": False}
            scan, expert, nonexpert = (
                replace(volume, **plain) for volume in (scan, expert, nonexpert)
            )
        study.add_case(f"c{number}", f"p{number}", scan, expert, nonexpert, split=split)
    events, data = prepare(study)
    said = [e.message for e in events if isinstance(e, Notice)]
    assert any("1 of 2 validation cases state no pixel size" in text for text in said)
    assert data.provenance["validation_distances_in"] == "mm and px"
