"""Scans on a cluster of Dask, here of this computer."""

import os
import signal

import pytest

from napari_microus.core.batch import batch_settings, find_scans, run_batch
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import ScanReport, drain

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
    ) as cluster:
        yield cluster


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_cluster_gives_the_same_masks_and_outlives_a_lost_worker(
    cluster, folder, segment, tmp_path
):
    segment(folder)
    settings = batch_settings(tmp_path / "dask", device="cpu", precision="float32")
    scans = drain(find_scans([folder]))
    seen = []

    def on_event(event):
        if not isinstance(event, ScanReport):
            return
        seen.append((event.name, event.state))
        if seen == [("a", "running")]:
            for worker in cluster.workers.values():
                os.kill(worker.pid, signal.SIGKILL)

    work = run_batch(settings, scans, dask=cluster.scheduler_address)
    result = drain(work, on_event)

    assert dict(seen) == {"a": "done", "b": "failed", "c": "done"}
    assert seen.count(("a", "running")) >= 2
    [(label, reason)] = result.failures
    assert label == "b.nii.gz"
    assert "not a NIfTI file, or incomplete" in reason
    for name in ("a_capsule.nii.gz", "c_capsule.nii.gz"):
        serial = (tmp_path / "out" / name).read_bytes()
        assert (tmp_path / "dask" / name).read_bytes() == serial


def test_a_scheduler_that_does_not_answer_is_reported(folder, segment, monkeypatch):
    from napari_microus.core.batch import on_dask

    monkeypatch.setattr(on_dask, "_CONNECT_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(InputError, match=f"got nothing from '{address}'"):
            segment(folder, dask=address)


def test_without_distributed_its_extra_is_named(folder, segment, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"napari-microus\[dask\]"):
        segment(folder, dask="tcp://127.0.0.1:1")
