"""``napari-microus segment`` into a folder."""

import json

import pytest

from napari_microus.core.batch import run
from napari_microus.core.events import CANCEL_VARIABLE


@pytest.fixture
def folder(small_scan, tmp_path):
    """A good scan, one of the same name in a folder, and one that is none."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.nii.gz").write_bytes(small_scan.read_bytes())
    small_scan.rename(tmp_path / "in" / "a.nii.gz")
    (tmp_path / "in" / "b.nii.gz").write_bytes(b"no scan")
    return tmp_path / "in"


def test_failures_are_listed_at_the_end_and_give_status_1(
    run_command, folder, tmp_path, capsys
):
    assert run_command("segment", folder, "-r", "-o", tmp_path / "out") == 1

    said = capsys.readouterr()
    assert "3 scans: 2 done, 1 failed." in said.out
    assert str(tmp_path / "out" / "measurements.csv") in said.out
    last = said.err.rstrip().splitlines()[-1]
    assert last.startswith("  b.nii.gz: Cannot read b.nii.gz: not a NIfTI file, or")
    masks = (tmp_path / "out").rglob("*_capsule.nii.gz")
    found = sorted(p.relative_to(tmp_path / "out").as_posix() for p in masks)
    assert found == ["a_capsule.nii.gz", "deep/a_capsule.nii.gz"]

    (folder / "b.nii.gz").unlink()
    assert run_command("segment", folder, "-r", "-o", tmp_path / "out") == 0
    assert "2 scans: 0 done, 2 skipped (done before)." in capsys.readouterr().out


def test_progress_states_each_scan_and_the_end(run_command, folder, tmp_path, capsys):
    line = ("segment", folder, "-o", tmp_path / "out", "--progress", "json")
    assert run_command(*line) == 1

    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    reports = [e for e in events if e["event"] == "ScanReport"]
    assert [(e["name"], e["state"]) for e in reports if e["state"] != "running"] == [
        *(("a", "done"), ("b", "failed"))
    ]
    assert {(e["number"], e["scans"]) for e in reports} == {(1, 2), (2, 2)}
    assert (3, 3) in {(e["frames_done"], e["frames"]) for e in reports}
    assert events[-1]["event"] == "Finished"
    assert events[-1]["result"]["failed"] == 1


def test_stopping_keeps_what_is_done_and_gives_status_130(
    run_command, folder, tmp_path, capsys, monkeypatch
):
    flag = tmp_path / "stop"
    monkeypatch.setenv(CANCEL_VARIABLE, str(flag))
    segment_scan = run.segment_scan

    def then_stop(settings, scan):
        outcome = yield from segment_scan(settings, scan)
        flag.touch()
        return outcome

    monkeypatch.setattr(run, "segment_scan", then_stop)
    assert run_command("segment", folder, "-r", "-o", tmp_path / "out") == 130

    assert "continues from here" in capsys.readouterr().err
    assert (tmp_path / "out" / "a_capsule.nii.gz").is_file()
    stated = (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8")
    assert len(stated.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--model", "none"], 2, "Choose one of: microus-small"),
        (["--threshold", "2"], 2, "threshold"),
        (["--workers", "0"], 2, "At least one worker is needed"),
        (["--dask", "tcp://x:1", "--workers", "2"], 2, "are both given"),
    ],
)
def test_what_would_fail_for_all_is_one_line_and_status_2(
    run_command, folder, tmp_path, capsys, words, status, said
):
    assert run_command("segment", folder, "-o", tmp_path / "out", *words) == status
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*_capsule.nii.gz"))


def test_a_folder_without_scans_is_reported(run_command, tmp_path, small_scan, capsys):
    (tmp_path / "empty").mkdir()
    assert run_command("segment", tmp_path / "empty", "-o", tmp_path / "out") == 2
    assert "No scan was found in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
