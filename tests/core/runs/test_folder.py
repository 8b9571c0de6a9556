import shutil
import threading

import pytest

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import BatchReport, Finished
from napari_microus.core.runs.folder import attach, list_runs, read_status
from napari_microus.core.train import train


def test_runs_are_listed_with_their_state(tiny, drain, tmp_path):
    for name in ("a", "b"):
        drain(train(tiny(output=str(tmp_path / "runs" / name), epochs=1)))
    later, earlier = list_runs(tmp_path / "runs")
    assert (later.path, earlier.path) == (
        str(tmp_path / "runs" / "b"),
        str(tmp_path / "runs" / "a"),
    )
    assert later.state == "finished"
    assert not later.is_alive
    assert later.epoch == later.epochs == 1


def test_an_attached_reader_sees_a_run_from_its_start_to_its_end(tiny, drain, tmp_path):
    config, seen = tiny(), []
    work = train(config)
    first = next(work)  # the folder exists now

    def read():
        seen.extend(attach(config.output, poll_s=0.01))

    reader = threading.Thread(target=read)
    reader.start()
    events, _ = drain(work)
    reader.join(timeout=30)
    assert seen == [first, *events]
    assert isinstance(seen[-1], Finished)


def test_a_process_that_vanished_is_called_interrupted(tiny, drain):
    _, result = drain(train(tiny(epochs=1)))
    status = (result.run / "status.json").read_text(encoding="utf-8")
    (result.run / "status.json").write_text(status.replace("finished", "running"))
    found = read_status(result.run)
    assert found.state == "interrupted"
    assert "can be resumed" in found.message


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"must hold a config\.yaml"):
        read_status(tmp_path)


def test_a_run_whose_folder_was_deleted_ends_and_leaves_nothing(tiny, tmp_path):
    config = tiny(epochs=50)
    work = train(config)
    for event in work:
        if isinstance(event, BatchReport):
            break
    shutil.rmtree(config.output)
    with pytest.raises(OutputError, match="must stay where it is"):
        list(work)
    assert not (tmp_path / "run").exists()


FULL = "The disk is full. Free some space and resume the run."


def test_a_full_disk_does_not_leave_a_run_that_trains(tiny, monkeypatch):
    """The end is written over what is there, which takes no room."""
    from napari_microus.core.events import Failed
    from napari_microus.core.runs import folder

    def no_room(*args, **kwargs):
        raise OutputError("Cannot write to the disk (No space left on device).")

    run = folder.RunFolder.create(tiny())
    run.set_status(state="running", epoch=3)
    before = (run.path / "status.json").stat().st_size
    monkeypatch.setattr(folder, "atomic_write", no_room)
    with pytest.raises(OutputError):
        run.set_status(epoch=4)  # while it trains it must end, and say so
    run.fail(Failed(FULL))
    status = read_status(run.path)
    assert (status.state, status.epoch) == ("failed", 4)
    assert status.message == FULL
    assert (run.path / "status.json").stat().st_size == before
    run.close()
