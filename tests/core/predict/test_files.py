"""What is segmented into files, and which frames."""

import json

import numpy as np
import pytest

from drained import drained as drain
from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.events import Notice
from napari_microus.core.io import read_mask, read_provenance, read_volume
from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.predict.files import (
    check_outputs,
    parse_frames,
    segment_into,
)
from napari_microus.core.samples import read_sweep


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("3", [3]),
        ("0-2", [0, 1, 2]),
        (" 4-4 , 0-1,7", [4, 0, 1, 7]),
        ("10-11", [10, 11]),
    ],
)
def test_frames_are_numbers_and_ranges(text, frames):
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1-b", "1,,2", "1.5", "1-2-3"])
def test_other_words_are_no_frames(text):
    with pytest.raises(ConfigError, match="numbers and ranges such as 0-9,12; got"):
        parse_frames(text)


@pytest.mark.parametrize("text", ["9-0", "0-3,9-8"])
def test_a_range_that_runs_backwards_is_refused_among_others_too(text):
    with pytest.raises(ConfigError, match=r"not run backwards; got '9-[08]'\."):
        parse_frames(text)


def test_a_slip_of_the_finger_does_not_fill_the_memory():
    with pytest.raises(ConfigError, match="100,000 frames at most; got '0-99999999'"):
        parse_frames("0-99999999")
    assert len(parse_frames("1-100000")) == 100_000


@pytest.fixture(scope="module")
def model():
    return load_model(DEFAULT_MODEL)


def test_mask_probability_and_their_story_are_written(model, tmp_path):
    scan = read_sweep().scan
    scan.metadata["notices"] = ("It was cut.",)
    paths = tmp_path / "m.nii.gz", tmp_path / "p.nii.gz"
    result, events = drain(
        segment_into(
            [model], scan, paths[0], image="s.nii", probability=paths[1], frames=[2, 3]
        )
    )
    mask = read_mask(paths[0]).array
    drawn = [bool(frame.any()) for frame in mask]
    assert [z for z, is_drawn in enumerate(drawn) if is_drawn] == [2, 3]
    assert result["frames"] == 2
    assert result["pixels"] == int(mask.sum())
    assert result["mask"] == str(paths[0])
    assert result["probability"] == str(paths[1])
    stated = [event.message for event in events if isinstance(event, Notice)]
    assert "s.nii: It was cut." in stated
    made = read_provenance(paths[0])
    assert list(made["confidence"]["frames"]) == ["2", "3"]
    assert made["confidence"]["look_first"] == result["look_first"]
    probability = read_volume(paths[1]).array
    # Half of what is sure is in the mask, and nothing outside the two frames.
    assert ((probability[2:4] > 0.9) & (mask[2:4] == 1)).any()
    assert not probability[:2].any()
    assert json.loads(json.dumps(result)) == result


def test_results_are_kept_unless_replacing_is_asked_for(model, tmp_path):
    scan, path = read_sweep().scan, tmp_path / "m.nii.gz"
    path.write_bytes(b"mine")
    work = segment_into([model], scan, path, image="s", frames=[0])
    with pytest.raises(OutputError, match="already exists"):
        drain(work)
    assert path.read_bytes() == b"mine"
    work = segment_into([model], scan, path, image="s", frames=[0], overwrite=True)
    drain(work)
    assert read_mask(path).array.shape == scan.array.shape


def test_outputs_are_checked_before_the_work(tmp_path):
    scan, out = tmp_path / "scan.nii.gz", tmp_path / "out.nii.gz"
    scan.write_bytes(b"")
    check_outputs([scan], [out, None, tmp_path / "new" / "p.nrrd"])
    with pytest.raises(OutputError, match=r"must end in one of .*; got .*out\.png"):
        check_outputs([scan], [tmp_path / "out.png"])
    with pytest.raises(OutputError, match="must not be a scan itself, nor another"):
        check_outputs([scan], [scan], overwrite=True)
    with pytest.raises(OutputError, match="nor another output"):
        check_outputs([scan], [out, out], overwrite=True)
    (tmp_path / "out.json").write_text("{}")  # its story, of an earlier run
    with pytest.raises(OutputError, match=r"out\.json already exists"):
        check_outputs([scan], [out])
    check_outputs([scan], [out], overwrite=True)
    with pytest.raises(OutputError, match="Cannot write to"):
        check_outputs([scan], [scan / "inside" / "out.nii.gz"])


def test_values_of_the_scan_are_not_touched(model, tmp_path):
    scan = read_sweep().scan
    before = scan.array.copy()
    drain(segment_into([model], scan, tmp_path / "m.nrrd", image="s", frames=[1]))
    np.testing.assert_array_equal(scan.array, before)
