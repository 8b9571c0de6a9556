"""Scans in processes, some of which are killed."""

import multiprocessing
import os
import signal

import pytest

from napari_microus.core.batch import batch_settings, find_scans, run_batch
from napari_microus.core.batch.processes import in_processes
from napari_microus.core.events import ScanReport, drain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def masks(folder):
    return {p.name: p.read_bytes() for p in folder.glob("*_capsule.nii.gz")}


def kill_workers():
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
        process.join(20)


def test_processes_give_the_same_masks_and_outlive_a_death(folder, segment, tmp_path):
    """Over a a process dies each time, over c once, and b is no scan."""
    segment(folder)
    settings = batch_settings(tmp_path / "two", device="cpu", precision="float32")
    scans = drain(find_scans([folder]))
    deaths = {"a": 2, "c": 1}
    seen = []

    def on_event(event):
        if not isinstance(event, ScanReport):
            return
        seen.append(event)
        if event.state == "running" and deaths.get(event.name, 0):
            deaths[event.name] -= 1
            kill_workers()

    # One process at a time: which scan a death belongs to is then certain.
    import napari_microus.core.batch.run as run

    def one(settings, scans, workers, dask):
        return in_processes(settings, scans, 1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_work", one)
        result = drain(run_batch(settings, scans), on_event)

    assert {e.name: e.state for e in seen} == {
        "a": "failed",
        "b": "failed",
        "c": "done",
    }
    reasons = dict(result.failures)
    assert "ended 2 times over it (SIGKILL)" in reasons["a.nii.gz"]
    assert "not a NIfTI file, or incomplete" in reasons["b.nii.gz"]
    once = masks(tmp_path / "out")
    assert masks(tmp_path / "two") == {"c_capsule.nii.gz": once["c_capsule.nii.gz"]}
    assert not multiprocessing.active_children()


def test_cancelling_ends_the_processes(folder, tmp_path):
    settings = batch_settings(tmp_path / "out", device="cpu")
    work = run_batch(settings, drain(find_scans([folder])), workers=2)
    next(work)
    assert len(multiprocessing.active_children()) == 2
    work.close()
    assert not multiprocessing.active_children()
    assert not masks(tmp_path / "out")
