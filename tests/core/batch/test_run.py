import csv
import errno
import json

import numpy as np
import pytest

from napari_microus.core import library
from napari_microus.core.batch import batch_settings, find_scans, one_scan, run_batch
from napari_microus.core.batch.run import LOCK
from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.events import ScanReport, drain
from napari_microus.core.io import read_mask, read_volume, write_mask
from napari_microus.core.io.scan_properties import ScanProperties
from napari_microus.core.io.scan_sidecar import write_scan_properties
from napari_microus.core.predict import predict


def states(events):
    return {e.name: e.state for e in events if isinstance(e, ScanReport)}


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {row["scan"]: row for row in csv.DictReader(file)}


def contents(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name.endswith(("_capsule.nii.gz", "_capsule.json"))
    }


def test_every_scan_is_segmented_though_one_is_bad(folder, segment, tmp_path):
    events, result = segment(folder)

    assert states(events) == {"a": "done", "b": "failed", "c": "done"}
    assert (result.done, result.skipped) == (2, 0)
    [(label, reason)] = result.failures
    assert label == "b.nii.gz"
    assert "Cannot read b.nii.gz: not a NIfTI file, or incomplete" in reason
    assert result.in_words() == "3 scans: 2 done, 1 failed."
    model = library.load_model()
    for name in ("a.nii.gz", "c.nrrd"):
        scan = read_volume(folder / name)
        expected = drain(predict(model, scan, device="cpu", precision="float32")).mask
        mask = read_mask(tmp_path / "out" / f"{name[0]}_capsule.nii.gz")
        np.testing.assert_array_equal(mask.array, expected.array)
        assert mask.shares_grid(scan)
    reports = [e for e in events if isinstance(e, ScanReport) and e.name == "a"]
    assert [(e.frames_done, e.frames) for e in reports] == [(0, 0), (0, 3)] + [
        (3, 3)
    ] * 2
    assert [e.ended for e in events if isinstance(e, ScanReport)][-1] == 3


def test_tables_state_all_scans_and_which_failed(folder, segment, tmp_path):
    segment(folder)
    rows = table(tmp_path / "out" / "measurements.csv")
    failures = table(tmp_path / "out" / "failures.csv")

    assert list(rows) == ["a", "b", "c"]
    mask = read_mask(tmp_path / "out" / "a_capsule.nii.gz").array
    assert int(rows["a"]["frames"]) == 3
    assert int(rows["a"]["frames_with_capsule"]) == mask.any((1, 2)).sum()
    assert int(rows["a"]["largest_area_px"]) == mask.sum((1, 2)).max()
    # pixels of 0.2 × 0.1 mm, frames 2 mm apart
    assert float(rows["a"]["volume_ml"]) == pytest.approx(mask.sum() * 4e-5, abs=5e-4)
    assert rows["a"]["mask"] == "a_capsule.nii.gz"
    assert (rows["a"]["model"], rows["a"]["model_version"]) == ("microus-small", "3")
    assert rows["a"]["use"].startswith("research use only")
    assert rows["b"]["status"] == "failed"
    assert rows["b"]["frames"] == ""
    assert rows["a"]["notices"] == ""
    assert failures.keys() == {"b"}
    assert failures["b"]["reason"] == rows["b"]["reason"]
    assert (tmp_path / "out" / "contact_sheet_files" / "a.jpg").is_file()
    assert "b.nii.gz" in (tmp_path / "out" / "contact_sheet.html").read_text(
        encoding="utf-8"
    )
    assert str(tmp_path) not in (tmp_path / "out" / "measurements.csv").read_text(
        encoding="utf-8"
    )


def test_what_is_done_is_skipped_and_a_mended_scan_is_not(
    folder, segment, tmp_path, write_scan
):
    segment(folder)
    before = contents(tmp_path / "out")
    rows = table(tmp_path / "out" / "measurements.csv")
    write_scan(folder / "b.nii.gz", 5)

    events, result = segment(folder, batch_size=1)

    assert states(events) == {"a": "skipped", "b": "done", "c": "skipped"}
    assert result.in_words() == "3 scans: 1 done, 2 skipped (done before)."
    assert contents(tmp_path / "out").items() >= before.items()
    after = table(tmp_path / "out" / "measurements.csv")
    assert after["a"] == rows["a"]
    assert {row["status"] for row in after.values()} == {"done"}
    assert not (tmp_path / "out" / "failures.csv").exists()


def test_a_mask_of_another_making_stays_unless_overwritten(
    tmp_path, segment, write_scan
):
    scan = write_scan(tmp_path / "in" / "a.nii.gz", 1)
    out = tmp_path / "out"
    segment(scan.parent)

    def edit():
        mask = read_volume(out / "a_capsule.nii.gz")
        made = json.loads((out / "a_capsule.json").read_text(encoding="utf-8"))
        mask = mask.like(1 - mask.array)
        write_mask(mask, out / "a_capsule.nii.gz", True, provenance=made)

    def tell():
        write_scan_properties(scan, ScanProperties(frame_distance_mm=3.0))

    for change, options in (
        (lambda: None, {"threshold": 0.4}),
        (lambda: None, {"models": ["other"]}),
        (lambda: None, {"frames": [1]}),
        (lambda: write_scan(scan, 2), {}),
        (tell, {}),
        (edit, {}),
    ):
        change()
        before = contents(out)
        events, result = segment(scan.parent, **options)
        assert states(events) == {"a": "failed"}
        assert "a_capsule.nii.gz is there already" in result.failures[0][1]
        assert contents(out) == before
        stated = (out / "measurements.csv").read_text(encoding="utf-8").splitlines()
        assert len(stated) == 3  # the row of the mask that is there, and this failure

        events, _ = segment(scan.parent, overwrite=True, **options)
        assert states(events) == {"a": "done"}
        assert contents(out) != before
        events, _ = segment(scan.parent, **options)
        assert states(events) == {"a": "skipped"}
        segment(scan.parent, overwrite=True)  # back to where the next one begins


def test_a_mask_cut_short_or_without_its_map_is_made_again(
    tmp_path, segment, write_scan
):
    scan = write_scan(tmp_path / "in" / "a.nii.gz", 1)
    out = tmp_path / "out"
    segment(scan.parent)
    mask = (out / "a_capsule.nii.gz").read_bytes()
    (out / "a_capsule.nii.gz").write_bytes(mask[: len(mask) // 2])

    assert states(segment(scan.parent)[0]) == {"a": "done"}
    assert (out / "a_capsule.nii.gz").read_bytes() == mask

    maps = tmp_path / "maps"
    assert states(segment(scan.parent, probability=maps)[0]) == {"a": "done"}
    assert read_volume(maps / "a_probability.nii.gz").array.max() <= 1
    assert states(segment(scan.parent, probability=maps)[0]) == {"a": "skipped"}


def test_files_of_others_are_not_replaced(tmp_path, segment, write_scan):
    scan = write_scan(tmp_path / "in" / "a.nii.gz", 1)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a_capsule.json").write_text("{}")
    events, _ = segment(scan.parent)
    assert states(events) == {"a": "failed"}
    assert (out / "a_capsule.json").read_text(encoding="utf-8") == "{}"

    for name in ("measurements.csv", "failures.csv"):
        (out / name).write_text("patient,name\n1,Doe\n")
        with pytest.raises(OutputError, match=f"one of others; got .*{name}"):
            segment(scan.parent)
        assert (out / name).read_text(encoding="utf-8") == "patient,name\n1,Doe\n"
        (out / name).unlink()


def test_results_of_other_folders_stay_in_the_tables(tmp_path, segment, write_scan):
    write_scan(tmp_path / "one" / "a.nii.gz", 1)
    write_scan(tmp_path / "two" / "b.nii.gz", 2)
    write_scan(tmp_path / "two" / "a.nii.gz", 3)  # another scan of that name
    segment(tmp_path / "one")
    first = table(tmp_path / "out" / "measurements.csv")

    events, _ = segment(tmp_path / "two")

    assert states(events) == {"a": "failed", "b": "done"}
    with (tmp_path / "out" / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert first["a"] in rows
    assert [(r["scan"], r["status"]) for r in rows] == [
        *(("a", "done"), ("a", "failed"), ("b", "done"))
    ]


def test_masks_beside_their_scans_are_not_segmented_again(folder, segment):
    (folder / "b.nii.gz").unlink()
    segment(folder, folder)
    events, result = segment(folder, folder)
    assert states(events) == {"a": "skipped", "c": "skipped"}
    assert result.failures == ()


def test_cancelling_keeps_what_is_done_and_continues_from_there(
    folder, segment, tmp_path
):
    settings = batch_settings(tmp_path / "out", device="cpu", precision="float32")
    scans = drain(find_scans([folder]))
    work = run_batch(settings, scans)
    for event in work:
        if isinstance(event, ScanReport) and (event.name, event.frames) == ("c", 3):
            break
    work.close()

    assert table(tmp_path / "out" / "measurements.csv").keys() == {"a", "b"}
    assert [p.name for p in (tmp_path / "out").glob("*.nii.gz")] == ["a_capsule.nii.gz"]
    assert not list((tmp_path / "out").glob(".*capsule*"))
    events, _ = segment(folder)
    assert states(events) == {"a": "skipped", "b": "failed", "c": "done"}


def test_one_batch_at_a_time_writes_into_a_folder(folder, segment, tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / LOCK),
        pytest.raises(OutputError, match="Another batch is writing"),
    ):
        segment(folder)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    folder, segment, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"must be writable; got .*file"):
        segment(folder, tmp_path / "file" / "out")


def test_a_full_disk_ends_the_batch_and_is_reported(
    folder, segment, tmp_path, monkeypatch
):
    def full(*_, **__):
        raise OutputError("Cannot write to x (No space left on device).") from OSError(
            errno.ENOSPC, "No space left on device"
        )

    monkeypatch.setattr(one_scan, "write_mask", full)
    with pytest.raises(OutputError, match="No space left"):
        segment(folder)
    assert table(tmp_path / "out" / "measurements.csv").keys() == {"a"}
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_an_error_that_nobody_foresaw_is_one_scans(folder, segment, monkeypatch):
    reads = one_scan.measure

    def odd(scan, prediction):
        if "a.nii" in scan.metadata["source"]:
            raise KeyError("Doe^Jane")
        return reads(scan, prediction)

    monkeypatch.setattr(one_scan, "measure", odd)
    events, result = segment(folder)
    assert states(events) == {"a": "failed", "b": "failed", "c": "done"}
    assert "failed at this scan: KeyError. Please report" in result.failures[0][1]
    assert "Doe" not in str(result)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": ["none"]}, "Choose one of"),
        ({"models": []}, "must have a model"),
        ({"threshold": 2}, "threshold"),
        ({"device": "gpu"}, "There is no device 'gpu'. Choose auto, cuda"),
        ({"workers": 0}, "workers must be 1"),
        ({"workers": 2, "dask": "tcp://x:1"}, "got both"),
    ],
)
def test_a_wrong_setting_ends_the_batch(folder, segment, tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        segment(folder, **options)
    assert not list(tmp_path.rglob("*_capsule.nii.gz"))


def test_a_model_that_has_changed_is_refused(folder, tmp_path, shelf):
    from dataclasses import replace

    settings = batch_settings(tmp_path / "out", device="cpu")
    [place] = settings.models
    changed = replace(settings, models=(replace(place, weights_sha256="0"),))
    work = run_batch(changed, drain(find_scans([folder])))
    with pytest.raises(Exception, match="have different models called"):
        drain(work)


def test_a_batch_killed_before_the_mask_took_its_place_continues(folder, segment):
    _, first = segment(folder)
    mask = first.measurements.parent / "a_capsule.nii.gz"
    made = mask.read_bytes()
    mask.unlink()  # its .json is there already

    _, again = segment(folder)

    assert (again.done, again.skipped) == (1, 1)
    assert mask.read_bytes() == made
